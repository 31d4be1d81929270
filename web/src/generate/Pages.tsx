import type { PageProps } from "../ui";

export function Txt2img(_: PageProps) {
  return null;
}

export function Img2img(_: PageProps) {
  return null;
}

export function Extras(_: PageProps) {
  return null;
}
