// How a heading's anchor is made from its text: as where the repository is read in a browser, so that a link
// holds in both places.

export function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
