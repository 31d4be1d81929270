export { Models } from "./Models";
