import "./base.css";

export { Accordion, type AccordionProps } from "./Accordion";
export { Chip, Empty, HiddenWords, Notice } from "./Bits";
export { Button, ButtonLink, type ButtonProps } from "./Button";
export { Checkbox, Radios } from "./Choices";
export { ConfirmDeletion } from "./ConfirmDeletion";
export { copyText } from "./copy";
export { Dialog, DialogButtons } from "./Dialog";
export { Field, Labelled, TextArea, type FieldProps, type Ids, type TextAreaProps } from "./Field";
export { Icon, type IconName } from "./icons";
export { Picture, type PictureProps } from "./Picture";
export { Progress } from "./Progress";
export { Select, type Option } from "./Select";
export { inRange, Slider } from "./Slider";
export { neighbour, Tabs, type Tab } from "./Tabs";
export { toast, Toasts } from "./Toasts";

/**
 * What every page of the frame gets: whether it is the one in sight. A page that is not in sight asks the API
 * nothing.
 */
export interface PageProps {
  active: boolean;
}
