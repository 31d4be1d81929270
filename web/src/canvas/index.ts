/** Painting on pictures at their own pixels. */

export { copyPicture, createBoard, type Board, type Result } from "./board";
export { PictureCanvas, type PictureCanvasProps } from "./PictureCanvas";
export type { Mode } from "./surface";
