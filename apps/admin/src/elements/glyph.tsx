/**
 * The shapes that say the same as the colours. Guards "never colour alone".
 */
import type { ReactElement } from 'react';
import type { Glyph as Name } from '../wording/status.js';

const SHAPES: Readonly<Record<Name, ReactElement>> = {
  dot: <circle cx="8" cy="8" r="3.4" fill="currentColor" />,
  ring: <circle cx="8" cy="8" r="4.6" fill="none" stroke="currentColor" strokeWidth="2" />,
  half: (
    <>
      <circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" strokeWidth="1.8" />
      <path d="M8 3a5 5 0 0 1 0 10z" fill="currentColor" />
    </>
  ),
  diamond: <path d="M8 1.8 14.2 8 8 14.2 1.8 8z" fill="currentColor" />,
  arrow: (
    <path
      d="M2.5 8h9M8 3.8 12.4 8 8 12.2"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  ),
  back: (
    <path
      d="M13.5 8h-9M8 3.8 3.6 8 8 12.2"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  ),
  check: (
    <path
      d="m2.8 8.6 3.4 3.5 7-7.8"
      fill="none"
      stroke="currentColor"
      strokeWidth="2.1"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  ),
  cross: (
    <path
      d="m3.8 3.8 8.4 8.4m0-8.4-8.4 8.4"
      stroke="currentColor"
      strokeWidth="2.1"
      strokeLinecap="round"
    />
  ),
  triangle: (
    <path
      fillRule="evenodd"
      d="M8 1.2 15.4 14.4H.6zM7.1 5.8h1.8l-.3 4.4H7.4zm.9 5.2a1 1 0 1 1 0 2.1 1 1 0 0 1 0-2.1"
      fill="currentColor"
    />
  ),
  question: (
    <path
      d="M5 5.6a3 3 0 1 1 4.3 2.7c-.9.5-1.3 1-1.3 2M8 12.9v.2"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
      strokeLinecap="round"
    />
  ),
};

export function Glyph({ name, size = 12 }: { readonly name: Name; readonly size?: number }) {
  return (
    <svg className="glyph" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}
