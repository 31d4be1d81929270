/** Pictures as files: taking them in, reading what is written in them, and sending them. */

export { CodecFault } from "./codec";
export { decoded, maskFile, pictureFile } from "./coder";
export { DropZone, FileButton } from "./DropZone";
export { headerOf, type PictureHeader } from "./header";
export { pictureOf, takesPaste } from "./incoming";
export { infotextOf } from "./infotext";
export { PictureField, type PictureFieldProps } from "./PictureField";
export { thresholded, type Pixels } from "./pixels";
export { send, type Sending, type Sent } from "./send";
export { sha256Of, uploadPictures } from "./upload";
