/** Pictures that are dropped or pasted. */

/** The first picture in what was dropped or pasted; null where there is none. */
export function pictureOf(data: DataTransfer | null): File | null {
  return [...(data?.files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;
}

interface Place {
  element: HTMLElement;
  take: (file: File) => void;
}

const places: Place[] = [];

/** Let an element take pictures that are pasted; returns how to stop. Of several it is the one with the focus or under
 * the pointer, else the first that is seen. */
export function takesPaste(element: HTMLElement, take: (file: File) => void): () => void {
  if (!places.length) document.addEventListener("paste", pasted);
  const place = { element, take };
  places.push(place);
  return () => {
    places.splice(places.indexOf(place), 1);
    if (!places.length) document.removeEventListener("paste", pasted);
  };
}

function pasted(event: ClipboardEvent): void {
  const file = pictureOf(event.clipboardData);
  if (!file || event.defaultPrevented) return;
  const seen = places.filter(({ element }) => element.checkVisibility?.() ?? element.offsetParent !== null);
  const chosen =
    seen.find(({ element }) => element.contains(document.activeElement)) ??
    seen.find(({ element }) => element.matches(":hover")) ??
    seen[0];
  if (!chosen) return;
  event.preventDefault();
  chosen.take(file);
}
