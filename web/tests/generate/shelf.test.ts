import { expect, test } from "vitest";
import { fits } from "../../src/generate/search";
import { fileMeant, stem, upscalers } from "../../src/generate/shelf";
import { file } from "./files";

const HASH = "6ce0161689b3853acaa03779ec93eafe75a02f4ced659bee03f50797806fa2fa";
const SHELF = [
  file("stable-diffusion", "v1-5-pruned.safetensors", { sha256: HASH, aliases: ["old-name"] }),
  file("stable-diffusion", "Café.ckpt"),
  file("stable-diffusion", "SD15_model.safetensors", { folder: "SD15", aliases: ["model.safetensors"] }),
];

test.each([
  ["v1-5-pruned", 0],
  ["V1-5-Pruned.safetensors", 0],
  ["v1-5-pruned [6ce0161689]", 0],
  ["another name [6ce0161689]", 0],
  ["6ce0161689", 0],
  [HASH, 0],
  ["old-name", 0],
  ["Cafe\u0301", 1],
  ["SD15/model.safetensors", 2],
  ["SD15\\model", null],
  ["nothing", null],
  ["0000000000", null],
])("%s means the right file", (text, index) => {
  expect(fileMeant(SHELF, text)).toBe(index === null ? null : SHELF[index]);
});

test("only the extension of a model file is left out", () => {
  expect(stem("v1.5.safetensors")).toBe("v1.5");
  expect(stem("v1.5")).toBe("v1.5");
});

test("upscalers stand under the names of the WebUI", () => {
  const own = [file("upscaler", "RealESRGAN_x4plus.pth"), file("upscaler", "4x-UltraSharp.pth")];
  expect(upscalers(own, false)).toEqual(["None", "Lanczos", "Nearest", "R-ESRGAN 4x+", "4x-UltraSharp"]);
  expect(upscalers(own, true)[0]).toBe("Latent");
});

test("a search finds all of its words, wherever they stand", () => {
  const lora = file("lora", "film_grain.safetensors", { trigger_words: ["dusk light"], base_model: "sd_xl" });
  expect(fits(lora, "FILM dusk")).toBe(true);
  expect(fits(lora, "xl")).toBe(true);
  expect(fits(lora, "film dawn")).toBe(false);
  expect(fits(lora, " ")).toBe(true);
});
