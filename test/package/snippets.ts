/** Code and tables of a Markdown file, as tests take them. */

export interface Block {
  /** The heading that it stands under. */
  title: string;
  line: number;
  language: string;
  /** The words after its language. */
  flags: string[];
  code: string;
}

/** Each block of code. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let title = '';
  let open: { info: string; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const info = /^```(.*)$/.exec(text)?.[1];
    if (!open) {
      title = /^#+ (.*)$/.exec(text)?.[1] ?? title;
      if (info !== undefined) open = { info, line: index + 1, code: [] };
    } else if (info === undefined) {
      open.code.push(text);
    } else {
      const [language, ...flags] = open.info.split(' ');
      blocks.push({ title, line: open.line, language: language!, flags, code: open.code.join('\n') });
      open = undefined;
    }
  }
  return blocks;
}

/**
 * A block of README.md to run; its flags: `webgpu` where it needs WebGPU, `typed` where it is TypeScript as well, `browser`
 * where it is a module of a page.
 */
export interface Snippet extends Block {
  /** The comment that it begins with, if that names a file. */
  file?: string;
  /** The lines that it prints: the comments after a console.log, then those that stand alone at the end. */
  prints: string[];
}

/** Each js and html block. */
export function snippetsOf(markdown: string): Snippet[] {
  const blocks = blocksOf(markdown).filter(({ language }) => language === 'js' || language === 'html');
  return blocks.map((block) => ({
    ...block,
    file: /^\/\/ (\S+\.js)\n/.exec(block.code)?.[1],
    prints: printsOf(block.code.split('\n')),
  }));
}

function printsOf(code: readonly string[]): string[] {
  const after = code.flatMap((line) => /console\.log\(.*\); \/\/ (.*)$/.exec(line)?.[1] ?? []);
  let end = code.length;
  while (code[end - 1]?.startsWith('// ')) end--;
  return [...after, ...code.slice(end).map((line) => line.slice('// '.length))];
}

/** The anchors of a Markdown file's headings, as GitHub and npm make them. */
export function anchorsOf(markdown: string): string[] {
  const headings = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The cells of the first table under a heading, without its head. */
export function tableOf(markdown: string, heading: string): string[][] {
  const all = markdown.slice(markdown.indexOf(`\n${heading}\n`)).split('\n');
  const first = all.findIndex((line) => line.startsWith('|'));
  const rows = all.slice(first + 2);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
