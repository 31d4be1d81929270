import { toast } from "./Toasts";
import { t } from "./texts";

/** Puts a text into the clipboard and says so, in words of the caller if it has some; says as well when it may not. */
export async function copyText(text: string, said: string = t("copied")): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    // There is no clipboard without HTTPS, and a browser may ask the person, who may say no.
    toast(t("copyFailed"), { kind: "error" });
  }
}
