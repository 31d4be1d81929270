import type { PageProps } from "../ui";

export function Endpoints(_: PageProps) {
  return null;
}
