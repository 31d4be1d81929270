import type { PageProps } from "../ui";

export function Models(_: PageProps) {
  return null;
}
