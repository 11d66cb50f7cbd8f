/** The mark of the product: two branches on one decision. */
export function Mark({ size = 22 }: { readonly size?: number }) {
  return (
    <svg className="mark" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="8" className="mark-ground" />
      <g stroke="#fff" strokeWidth="2.4" strokeLinecap="round">
        <path d="M16 6v20" />
        <path d="M6 11.5h10M16 20.5h10" opacity=".55" />
      </g>
      <circle cx="7" cy="11.5" r="2.6" fill="#fff" />
      <circle cx="25" cy="20.5" r="2.6" fill="#fff" />
    </svg>
  );
}
