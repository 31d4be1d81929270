import { keepForms } from "./forms";
import { loadStyles } from "./styles";

export { fillFromInfotext, fillFromJob, sendPicture, type Destination } from "./filling";
export { parsed as readInfotext, type Infotext } from "./infotext";
export { Extras, Img2img, Txt2img } from "./Pages";

/** Reads what this browser kept of the forms and of the styles. Called once, before the page is drawn. */
export function startForms(): void {
  keepForms();
  loadStyles();
}
