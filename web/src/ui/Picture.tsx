import { useEffect, useState } from "preact/hooks";
import { Icon } from "./icons";
import { t } from "./texts";
import "./picture.css";

export interface PictureProps {
  /** a signed link; null while there is none */
  src: string | null;
  alt: string;
  width?: number;
  height?: number;
  class?: string;
  lazy?: boolean;
  draggable?: boolean;
  /** Asks for a new link when this one has expired; null when the picture is gone. */
  renew?: () => Promise<string | null>;
}

/** A picture behind a link that expires: asks once for a new link, and says so when the picture cannot be had. */
export function Picture({ src, alt, width, height, class: name, lazy, draggable, renew }: PictureProps) {
  const [link, setLink] = useState(src);
  const [state, setState] = useState<"first" | "renewed" | "gone">("first");
  useEffect(() => {
    setLink(src);
    setState("first");
  }, [src]);
  const failed = async () => {
    if (state !== "first" || !renew) return setState("gone");
    setState("renewed");
    const fresh = await renew().catch(() => null);
    // Links that are signed within one second are equal; the mark behind it makes the browser try again.
    if (fresh) setLink(fresh === link ? `${fresh}#again` : fresh);
    else setState("gone");
  };
  if (link === null || state === "gone") {
    return (
      <span
        class={`picture-empty ${name ?? ""}`}
        role={link === null ? undefined : "img"}
        aria-label={link === null ? undefined : t("pictureGone")}
      >
        <Icon name={link === null ? "picture" : "warning"} size={24} />
      </span>
    );
  }
  return (
    <img
      src={link}
      alt={alt}
      width={width}
      height={height}
      class={name}
      loading={lazy ? "lazy" : undefined}
      decoding="async"
      crossorigin="anonymous"
      draggable={draggable}
      onLoad={() => state === "renewed" && setState("first")}
      onError={() => void failed()}
    />
  );
}
