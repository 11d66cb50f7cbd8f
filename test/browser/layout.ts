/**
 * What is wrong with how a page is laid out, measured in the page: texts that overlap, words
 * that are broken inside, and how far right the content reaches. Guards "360 to 2,560 pixels".
 */
import type { Page } from 'playwright-core';

/** A phone, a laptop and a wide screen. */
export const WIDTHS = [360, 1_280, 2_560] as const;

/** Gives the page this width, and waits until what is drawn in pixels is drawn again. */
export async function widen(page: Page, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  });
}

/** One line per fault at the width the page has now; none is what a test wants. */
export async function layoutFaults(page: Page): Promise<string[]> {
  const found = await page.evaluate(measure);
  const width = page.viewportSize()?.width ?? 0;
  return found.map((fault) => `at ${width} px: ${fault}`);
}

/** The right edge of what the page shows, and of the page, in pixels. */
export function rightEdge(page: Page): Promise<{ content: number; page: number }> {
  return page.evaluate(() => {
    const edges = [...document.querySelectorAll('main *')].map(
      (one) => one.getBoundingClientRect().right,
    );
    return { content: Math.max(...edges), page: document.documentElement.clientWidth };
  });
}

/** In the page. Everything it needs is inside: it is sent there as text. */
function measure(): string[] {
  interface Line {
    readonly says: string;
    readonly node: Text;
    readonly rect: { left: number; right: number; top: number; bottom: number };
  }
  const faults: string[] = [];
  const lines: Line[] = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  /** What of a rectangle is seen: everything around it that cuts off its content does. */
  const seen = (node: Text, rect: DOMRect): Line['rect'] => {
    let { left, right, top, bottom } = rect;
    for (let at = node.parentElement; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (style.overflow === 'visible' || at === document.documentElement) continue;
      const around = at.getBoundingClientRect();
      left = Math.max(left, around.left);
      right = Math.min(right, around.right);
      top = Math.max(top, around.top);
      bottom = Math.min(bottom, around.bottom);
    }
    return { left, right, top, bottom };
  };
  for (let next = texts.nextNode(); next; next = texts.nextNode()) {
    const node = next as Text;
    const parent = node.parentElement;
    if (!parent || !node.data.trim() || parent.closest('svg, .visually-hidden, .skip, script'))
      continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const rect = seen(node, box);
      if (rect.right - rect.left < 2 || rect.bottom - rect.top < 2) continue;
      lines.push({ says: node.data.trim().slice(0, 40), node, rect });
    }
    if (parent.closest('code, pre, .mono')) continue; // An id may break anywhere.
    for (const { 0: word, index } of node.data.matchAll(/[\p{L}\p{N}_]+/gu)) {
      if (word.length > 20) continue;
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const tops = new Set([...range.getClientRects()].map((box) => Math.round(box.top)));
      if (tops.size > 1) faults.push(`"${word}" is broken in "${node.data.trim().slice(0, 40)}"`);
    }
  }
  lines.forEach((one, at) => {
    for (const other of lines.slice(at + 1)) {
      if (one.node === other.node) continue;
      const wide =
        Math.min(one.rect.right, other.rect.right) - Math.max(one.rect.left, other.rect.left);
      const high =
        Math.min(one.rect.bottom, other.rect.bottom) - Math.max(one.rect.top, other.rect.top);
      // Lines of text are closer than the boxes of their letters.
      if (wide > 2 && high > 5) faults.push(`"${one.says}" overlaps "${other.says}"`);
    }
  });
  return faults;
}
