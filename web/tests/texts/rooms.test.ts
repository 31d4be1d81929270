/** Reads the source: every text is complete and used, none stands in code, and rooms know only what they may. */
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { names } from "../../src/texts";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));
const LANGUAGES = ["en", "zh-CN", "ja"];
const FOR_PEOPLE = new Set(["title", "aria-label", "placeholder", "alt", "label", "hint", "note", "error"]);

/** The words of tsconfig.json as the compiler's own interface takes them. */
const COMPILER: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  jsx: ts.JsxEmit.ReactJSX,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
};

interface Source {
  name: string;
  room: string;
  tree: ts.SourceFile;
}

const program = ts.createProgram(
  readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".d.ts"))
    .map((name) => join(SRC, name)),
  { ...ts.readConfigFile(join(SRC, "../tsconfig.json"), ts.sys.readFile).config.compilerOptions, ...COMPILER },
);
const checker = program.getTypeChecker();
const sources: Source[] = program
  .getSourceFiles()
  .filter(({ fileName, isDeclarationFile }) => fileName.startsWith(SRC) && !isDeclarationFile)
  .map((tree) => ({
    name: relative(SRC, tree.fileName),
    room: relative(SRC, tree.fileName).split("/")[0] ?? "",
    tree,
  }));

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Language → key → text, read from a `texts.ts`. */
function tableOf(source: Source): Map<string, Map<string, string>> {
  const table = new Map<string, Map<string, string>>();
  walk(source.tree, (node) => {
    if (!ts.isPropertyAssignment(node) || !ts.isObjectLiteralExpression(node.initializer)) return;
    const language = textOf(node.name);
    if (!LANGUAGES.includes(language)) return;
    const rows = node.initializer.properties.filter(ts.isPropertyAssignment);
    table.set(language, new Map(rows.map((row) => [textOf(row.name), textOf(row.initializer)])));
  });
  return table;
}

/** The text of a name or a literal; long texts may be joined by `+`. */
function textOf(node: ts.Node): string {
  if (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) return node.text;
  if (ts.isBinaryExpression(node)) return textOf(node.left) + textOf(node.right);
  return "";
}

const tables = sources.filter((source) => /(^|\/)(\w*[tT]exts)\.ts$/.test(source.name));

describe("the texts of each room", () => {
  it.each(tables.map((source) => [source.name, source] as const))("%s: complete in all languages", (_, source) => {
    const table = tableOf(source);
    expect([...table.keys()]).toEqual(LANGUAGES);
    const english = table.get("en")!;
    expect(english.size).toBeGreaterThan(0);
    for (const language of LANGUAGES) {
      const own = table.get(language)!;
      expect([...own.keys()].sort()).toEqual([...english.keys()].sort());
      for (const [key, text] of own) {
        expect(text.trim(), `${language} ${key}`).not.toBe("");
        expect(names(text), `${language} ${key}`).toEqual(names(english.get(key)!));
      }
    }
  });

  it.each(tables.map((source) => [source.name, source] as const))("%s: every text is used", (_, source) => {
    expect([...tableOf(source).get("en")!.keys()].filter((key) => !said.get(source.tree)?.has(key))).toEqual([]);
  });
});

/** For each `texts.ts` the keys with which its reader is called anywhere; of a variable, all that its type allows. */
const said = new Map<ts.SourceFile, Set<string>>(tables.map(({ tree }) => [tree, new Set()]));
for (const { tree } of sources) {
  walk(tree, (node) => {
    const key = ts.isCallExpression(node) ? node.arguments[0] : undefined;
    const keys = key && ts.isCallExpression(node) ? said.get(declaredIn(node.expression) ?? tree) : undefined;
    if (!key || !keys) return;
    const type = checker.getTypeAtLocation(key);
    for (const one of type.isUnion() ? type.types : [type]) if (one.isStringLiteral()) keys.add(one.value);
  });
}

/** The file in which a called function is declared. */
function declaredIn(callee: ts.Expression): ts.SourceFile | undefined {
  const symbol = ts.isIdentifier(callee) ? checker.getSymbolAtLocation(callee) : undefined;
  const real = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return real?.declarations?.[0]?.getSourceFile();
}

/** Words for people that stand in code. Names without a letter, such as `×`, are no words. */
function wordsIn(source: Source): string[] {
  const found: string[] = [];
  const hasWords = (text: string) => /\p{L}{2,}/u.test(text);
  walk(source.tree, (node) => {
    if (ts.isJsxText(node) && hasWords(node.text)) found.push(`${source.name}: ${node.text.trim()}`);
    if (!ts.isJsxAttribute(node) || !node.initializer) return;
    const value = ts.isJsxExpression(node.initializer) ? node.initializer.expression : node.initializer;
    const literal = value && (ts.isStringLiteralLike(value) || ts.isTemplateExpression(value)) ? value.getText() : "";
    if (FOR_PEOPLE.has(node.name.getText()) && hasWords(literal.replace(/\$\{[^}]*\}/g, ""))) {
      found.push(`${source.name}: ${node.name.getText()}=${literal}`);
    }
  });
  return found;
}

it("no text for people stands in code", () => {
  expect(sources.flatMap(wordsIn)).toEqual([]);
});

it("a text in code would be found", () => {
  const planted = '<p title="Save it">Save {x}</p>; <img alt={`Picture ${1}`} />; <i>{"×"}</i>';
  const tree = ts.createSourceFile("x.tsx", planted, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  expect(wordsIn({ name: "x.tsx", room: "x", tree })).toHaveLength(3);
});

const FOUNDATION = ["texts", "ui", "api", "pictures"];

/** What a module imports from other rooms, as `[room, path inside it]`. */
function importsOf(source: Source): [string, string][] {
  return (
    source.tree.statements
      .filter((one) => ts.isImportDeclaration(one) || ts.isExportDeclaration(one))
      .flatMap((one) =>
        one.moduleSpecifier && ts.isStringLiteral(one.moduleSpecifier) ? [one.moduleSpecifier.text] : [],
      )
      .filter((path) => path.startsWith("."))
      .map((path) => relative(SRC, join(SRC, dirname(source.name), path)))
      // tables of the project, such as those of the WebUI, belong to no room
      .filter((path) => !path.startsWith(".."))
      .map((path) => [path.split("/")[0] ?? "", path.split("/").slice(1).join("/")] as [string, string])
      .filter(([room]) => room !== source.room)
  );
}

it("no two modules differ in capital letters alone: many disks take them for one", () => {
  const paths = sources.map(({ name }) => name.replace(/\.tsx?$/, "").toLowerCase());
  expect(paths.filter((path, at) => paths.indexOf(path) !== at)).toEqual([]);
});

describe("rooms", () => {
  it("know of each other what their index exports", () => {
    const wrong = sources.flatMap((source) =>
      importsOf(source)
        .filter(([room, inside]) => inside !== "" && inside !== "index" && !(room === "app" && inside === "route"))
        .map(([room, inside]) => `${source.name} → ${room}/${inside}`),
    );
    expect(wrong).toEqual([]);
  });

  it("below know nothing of those above", () => {
    const allowed: Record<string, string[]> = {
      texts: [],
      api: ["texts"],
      ui: ["texts"],
      pictures: ["texts", "api", "ui"],
    };
    const wrong = sources.flatMap((source) =>
      FOUNDATION.includes(source.room)
        ? importsOf(source)
            .filter(([room]) => !allowed[source.room]?.includes(room))
            .map(([room]) => `${source.name} → ${room}`)
        : [],
    );
    expect(wrong).toEqual([]);
  });

  it("leave fetch on the API to api/, and never write markup from text", () => {
    const wrong = sources.filter(
      ({ room, tree }) =>
        (room !== "api" && /["'`]\/api\b/.test(tree.text)) || /innerHTML|outerHTML|insertAdjacentHTML/.test(tree.text),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });
});
