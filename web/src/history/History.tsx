import type { PageProps } from "../ui";

export function History(_: PageProps) {
  return null;
}
