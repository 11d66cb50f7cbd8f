/** The width of an element in pixels, as it changes: pictures are drawn in true pixels, not stretched. */
import { useLayoutEffect, useRef, useState, type RefObject } from 'react';

export function useWidth<E extends HTMLElement>(): [RefObject<E | null>, number] {
  const element = useRef<E>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (!current) return undefined;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.floor(entry.contentRect.width));
    });
    setWidth(Math.floor(current.getBoundingClientRect().width));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}
