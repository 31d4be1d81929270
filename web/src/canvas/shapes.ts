/** Colours, and boxes of whole pixels. */

export type Colour = readonly [red: number, green: number, blue: number];

/** A rectangle of whole pixels: `left` and `top` belong to it, `right` and `bottom` do not. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** The smallest box around both. */
export function around(one: Box | null, other: Box | null): Box | null {
  if (!one || !other) return one ?? other;
  return {
    left: Math.min(one.left, other.left),
    top: Math.min(one.top, other.top),
    right: Math.max(one.right, other.right),
    bottom: Math.max(one.bottom, other.bottom),
  };
}

/** A colour as HTML writes it, `#rrggbb`. */
export function hexOf(colour: Colour): string {
  return `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The colour that HTML writes so. */
export function colourOf(hex: string): Colour {
  const value = parseInt(hex.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}
