/** How a picture lies in its window: its scale, and where its centre is from the window's centre, in pixels. */
export interface View {
  scale: number;
  x: number;
  y: number;
}

export interface Size {
  width: number;
  height: number;
}

const MOST = 16;
const LEAST = 0.05;

/** The whole picture in the window, never larger than it is. */
export function fitted(picture: Size, box: Size): View {
  const scale = Math.min(1, box.width / picture.width, box.height / picture.height);
  return { scale: scale > 0 ? scale : 1, x: 0, y: 0 };
}

/** Scales by a factor while the point under `at` (from the window's centre) stays where it is. */
export function zoomed(view: View, factor: number, at: { x: number; y: number } = { x: 0, y: 0 }): View {
  const scale = Math.min(MOST, Math.max(LEAST, view.scale * factor));
  const real = scale / view.scale;
  return { scale, x: at.x - (at.x - view.x) * real, y: at.y - (at.y - view.y) * real };
}

/** Moves the picture, but never so far that nothing of it is seen. */
export function moved(view: View, by: { x: number; y: number }, picture: Size, box: Size): View {
  const room = (side: "width" | "height") => Math.max(0, (picture[side] * view.scale + box[side]) / 2 - 40);
  const within = (value: number, limit: number) => Math.min(limit, Math.max(-limit, value));
  return { ...view, x: within(view.x + by.x, room("width")), y: within(view.y + by.y, room("height")) };
}
