/** How a picture lies in its window: `scale` is pixels of the window for one of the picture, `x` and `y` where its
 * upper left corner is. */

import type { Point } from "./capsule";

export interface View {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

export const MOST_SCALE = 32;

/** The whole picture in the middle of the window. A small one is shown larger, up to eight times, in whole steps. */
export function fitted(picture: Size, window: Size): View {
  const most = Math.min(window.width / picture.width, window.height / picture.height);
  const scale = most > 1 ? Math.min(8, Math.floor(most)) : most;
  return centred({ scale, x: 0, y: 0 }, picture, window);
}

/** The same view with another scale; the point of the window stays over the same pixel. */
export function zoomed(view: View, factor: number, at: Point, picture: Size, window: Size): View {
  const least = Math.min(fitted(picture, window).scale, 1) / 2;
  const scale = Math.min(MOST_SCALE, Math.max(least, view.scale * factor));
  const grown = scale / view.scale;
  return kept({ scale, x: at.x - (at.x - view.x) * grown, y: at.y - (at.y - view.y) * grown }, picture, window);
}

/** The view moved by pixels of the window. */
export function panned(view: View, by: Point, picture: Size, window: Size): View {
  return kept({ ...view, x: view.x + by.x, y: view.y + by.y }, picture, window);
}

/** The view moved just so far that a pixel of the picture is seen. */
export function showing(view: View, { x, y }: Point, picture: Size, window: Size): View {
  const margin = Math.min(32, window.width / 4, window.height / 4);
  const [left, top] = [x * view.scale + view.x, y * view.scale + view.y];
  const into = (at: number, size: number) => (at < margin ? margin - at : at > size - margin ? size - margin - at : 0);
  return panned(view, { x: into(left, window.width), y: into(top, window.height) }, picture, window);
}

/** Which point of the picture lies under a point of the window. */
export function pictureAt(view: View, { x, y }: Point): Point {
  return { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
}

/** The middle of the pixel of the picture that is nearest to the window's middle. */
export function middleOf(view: View, picture: Size, window: Size): Point {
  const at = pictureAt(view, { x: window.width / 2, y: window.height / 2 });
  return {
    x: Math.min(picture.width - 0.5, Math.max(0.5, Math.floor(at.x) + 0.5)),
    y: Math.min(picture.height - 0.5, Math.max(0.5, Math.floor(at.y) + 0.5)),
  };
}

/** The view put right so that a picture cannot get lost: some of a large one is always seen. */
function kept(view: View, picture: Size, window: Size): View {
  const [wide, high] = [picture.width * view.scale, picture.height * view.scale];
  const along = (at: number, size: number, room: number) => {
    const seen = Math.min(size, room) / 2;
    return Math.min(room - seen, Math.max(seen - size, at));
  };
  return { ...view, x: along(view.x, wide, window.width), y: along(view.y, high, window.height) };
}

function centred(view: View, picture: Size, window: Size): View {
  return {
    ...view,
    x: (window.width - picture.width * view.scale) / 2,
    y: (window.height - picture.height * view.scale) / 2,
  };
}
