/** The least and the most instances of an endpoint. */

import { Notice, Slider } from "../ui";
import { t } from "./texts";

export interface BoundsProps {
  least: number;
  most: number;
  onChange: (least: number, most: number) => void;
}

/** Each slider takes the other one along, so that the least is never over the most. */
export function Bounds({ least, most, onChange }: BoundsProps) {
  return (
    <>
      <Slider
        label={t("least")}
        value={least}
        min={0}
        max={Math.max(10, least)}
        hint={t("leastHint")}
        onChange={(value) => onChange(Math.round(value), Math.max(most, Math.round(value)))}
      />
      {least > 0 && <Notice kind="warning">{t("neverSleeps", { n: least })}</Notice>}
      <Slider
        label={t("most")}
        value={most}
        min={1}
        max={Math.max(20, most)}
        onChange={(value) => onChange(Math.min(least, Math.round(value)), Math.round(value))}
      />
    </>
  );
}
