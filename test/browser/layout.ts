/**
 * What is wrong with how a page is laid out, measured in the page. Guards "360 to 2,560 pixels", and what must
 * be in sight there. That each measure sees a page that is broken is shown in layout.nightly.ts.
 */
import type { Locator, Page } from 'playwright-core';

/** A phone, a laptop and a wide screen. */
export const WIDTHS = [360, 1_280, 2_560] as const;

/** Gives the page this width, and waits until what is drawn in pixels is drawn again. */
export async function widen(page: Page, width: number): Promise<void> {
  await page.setViewportSize({ width, height: 800 });
  await page.evaluate(async () => {
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
  });
}

/** Content may end so far left of the page's right edge: the margins of a page. */
const MARGIN_MAX = 60;

/**
 * One line per fault at the width the page has now; none is what a test wants: texts on one another, broken
 * words, a page wider than its window, and content that leaves a wide window empty.
 */
export async function layoutFaults(page: Page): Promise<string[]> {
  const found = await page.evaluate(measure);
  const width = page.viewportSize()?.width ?? 0;
  const { scrolled, content } = await page.evaluate(() => {
    const edges = [...document.querySelectorAll('main *')].map(
      (one) => one.getBoundingClientRect().right,
    );
    return { scrolled: document.documentElement.scrollWidth, content: Math.max(...edges) };
  });
  if (scrolled > width) found.push(`the page is ${scrolled} px wide`);
  if (width - content > MARGIN_MAX) found.push(`the content ends at ${Math.round(content)} px`);
  return found.map((fault) => `at ${width} px: ${fault}`);
}

/** Which of these parts are not on the first screen as a whole, before anything is scrolled. */
export async function outOfSight(
  page: Page,
  parts: Readonly<Record<string, Locator>>,
): Promise<string[]> {
  const height = page.viewportSize()?.height ?? 0;
  await page.evaluate(() => window.scrollTo({ top: 0, behavior: 'instant' }));
  const below: string[] = [];
  for (const [name, part] of Object.entries(parts)) {
    const box = await part.boundingBox();
    if (!box || box.y + box.height > height) below.push(name);
  }
  return below;
}

/** These words of a text of one line, from left to right as they are drawn. */
export function wordsFromLeft(text: Locator, words: readonly string[]): Promise<string[]> {
  return text.evaluate((element, wanted) => {
    const leftOf = (word: string): number => {
      const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
      for (let next = texts.nextNode(); next; next = texts.nextNode()) {
        const at = (next as Text).data.indexOf(word);
        if (at < 0) continue;
        const range = document.createRange();
        range.setStart(next, at);
        range.setEnd(next, at + word.length);
        return range.getBoundingClientRect().left;
      }
      throw new Error(`${word} is not in ${element.textContent}`);
    };
    return [...wanted].sort((one, other) => leftOf(one) - leftOf(other));
  }, words);
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
