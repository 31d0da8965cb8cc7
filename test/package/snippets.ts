/** Code and tables of a Markdown file, as tests take them. */

export interface Snippet {
  /** The heading that it stands under. */
  title: string;
  line: number;
  /** The words after its language: `webgpu` where it needs WebGPU, `typed` where it is TypeScript as well. */
  flags: string[];
  code: string;
  /** The lines that it prints: the comments after a console.log, then those that stand alone at the end. */
  prints: string[];
}

/** Each js block. */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  let title = '';
  let block: { info: string; line: number; code: string[] } | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(text);
    if (!block) {
      title = /^#+ (.*)$/.exec(text)?.[1] ?? title;
      if (fence) block = { info: fence[1]!, line: index + 1, code: [] };
    } else if (!fence) {
      block.code.push(text);
    } else {
      const { info, line, code } = block;
      const [language, ...flags] = info.split(' ');
      const prints = printsOf(code);
      if (language === 'js') {
        snippets.push({ title, line, flags, code: code.join('\n'), prints });
      }
      block = undefined;
    }
  }
  return snippets;
}

function printsOf(code: readonly string[]): string[] {
  const after = code.flatMap((line) => /console\.log\(.*\); \/\/ (.*)$/.exec(line)?.[1] ?? []);
  let end = code.length;
  while (code[end - 1]?.startsWith('// ')) end--;
  return [...after, ...code.slice(end).map((line) => line.slice('// '.length))];
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
