// The tables of docs/abi.md, from kernel/uapi/pciem.h: calls with their command values, structures with their layout, flags,
// events, feature bits. What is written by hand there, outside the markers, stays.
//
//   node scripts/abi-docs.mjs           writes them
//   node scripts/abi-docs.mjs --check   fails when they are not what the header says, or the compiler says otherwise
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const HEADER = 'kernel/uapi/pciem.h';
const DOCUMENT = 'docs/abi.md';
const SIZES = { __u8: 1, __u16: 2, __u32: 4, __u64: 8, __s32: 4, __s64: 8, char: 1 };

function fail(message) {
  process.stderr.write(`abi-docs: ${message}\n`);
  process.exit(1);
}

/** The text of a comment without its stars, in one line or, with `lines`, as it stands. */
function commentText(comment, lines = false) {
  const text = comment
    .replace(/^\/\*+|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd());
  return lines ? text : text.join(' ').replace(/\s+/g, ' ').trim();
}

/** kernel-doc: the summary, what it says of each member, and the paragraphs after them. */
function parseDoc(comment) {
  const [, kind, name, summary] =
    /^\s*\/\*\*\s*\n\s*\*\s*(struct|enum|DOC:)?\s*([\w ]+?)\s*(?: - (.*))?\n/.exec(comment) ?? fail(comment);
  const members = new Map();
  const notes = [];
  let member;
  let paragraph = [];
  let brief = summary ?? '';
  let inBrief = true;
  const flush = () => {
    if (paragraph.length > 0) notes.push(paragraph.join('\n'));
    paragraph = [];
  };
  for (const line of commentText(comment, true).slice(2)) {
    const found = /^@([\w.]+):\s*(.*)$/.exec(line);
    if (found) {
      inBrief = false;
      member = found[1];
      members.set(member, found[2]);
    } else if (line.trim() === '') {
      inBrief = false;
      member = undefined;
      flush();
    } else if (inBrief) {
      brief += ` ${line.trim()}`;
    } else if (member) {
      members.set(member, `${members.get(member)} ${line.trim()}`);
    } else {
      paragraph.push(line.trim());
    }
  }
  flush();
  return { kind, name, summary: brief.trim(), members, notes };
}

const number = (text) => Number(text.replace(/U?L*$/, ''));
const align = (offset, to) => Math.ceil(offset / to) * to;

class Header {
  docs = new Map();
  structs = new Map();
  enums = [];
  groups = [];
  ioctls = [];
  constants = new Map();

  constructor(text) {
    let group;
    const token = /\/\*[\s\S]*?\*\/|^#define[^\n]*(?:\\\n[^\n]*)*|^(?:struct|enum) \w+ \{[\s\S]*?^\};|^\n/gm;
    let described;
    for (const [item] of text.matchAll(token)) {
      if (item.startsWith('/**')) {
        const doc = parseDoc(item);
        this.docs.set(doc.name, doc);
      } else if (item.startsWith('/*')) {
        described = commentText(item);
      } else if (item === '\n') {
        group = undefined;
        described = undefined;
      } else if (item.startsWith('#define')) {
        group = this.#define(item, group, described);
      } else {
        this.#type(item);
        group = undefined;
        described = undefined;
      }
    }
  }

  #define(item, group, described) {
    const [, name, rest] = /^#define (\w+)(?!\()\s+([\s\S]+)$/.exec(item) ?? [];
    if (name === undefined || name.startsWith('_')) return group;
    const call = /^_(IO|IOR|IOW|IOWR)\((\w+),\s*(\d+)(?:,\s*struct (\w+))?\)/.exec(
      rest.replace(/\\\n\s*/g, ''),
    );
    if (call) {
      this.ioctls.push({ name, direction: call[1], nr: Number(call[3]), struct: call[4] });
      return undefined;
    }
    const [, value, comment] = /^([^/]*?)\s*(\/\*[\s\S]*\*\/)?$/.exec(rest);
    const into = group ?? { title: described ?? '', rows: [] };
    if (group === undefined) this.groups.push(into);
    into.rows.push({ name, value, text: comment ? commentText(comment) : '' });
    if (/^(0x)?[\da-fA-F]+U?L*$/.test(value)) this.constants.set(name, number(value));
    return into;
  }

  #type(item) {
    const [, kind, name] = /^(struct|enum) (\w+)/.exec(item);
    const body = item.slice(item.indexOf('{') + 1, item.lastIndexOf('}'));
    if (kind === 'enum') {
      const rows = [
        ...body.matchAll(/(\/\*[\s\S]*?\*\/\s*\n)?\s*(\w+) = (\w+),(?:[ \t]*(\/\*[\s\S]*?\*\/))?/g),
      ];
      this.enums.push({
        name,
        rows: rows.map(([, , constant, value, comment]) => ({
          name: constant,
          value,
          text: comment ? commentText(comment) : '',
        })),
      });
    } else {
      this.structs.set(name, this.#layout(name, body));
    }
  }

  #layout(name, body) {
    const fields = [];
    let offset = 0;
    let largest = 1;
    const place = (size, alignment) => {
      const at = align(offset, alignment);
      offset = at + size;
      largest = Math.max(largest, alignment);
      return at;
    };
    const member =
      /union \{([\s\S]*?)\} (\w+);|(struct \w+|\w+) (\w+)(?:\[(\w*)\])?;[ \t]*(\/\*[\s\S]*?\*\/)?/g;
    for (const [, union, unionName, type, field, count, comment] of body.matchAll(member)) {
      if (union !== undefined) {
        const parts = [...union.matchAll(/(struct \w+|\w+) (\w+)(?:\[(\w+)\])?;/g)].map((part) => ({
          ...this.#size(part[1], name),
          type: part[1],
          name: part[2],
          count: part[3],
        }));
        const size = Math.max(...parts.map((part) => part.size * this.#count(part.count ?? '1')));
        const alignment = Math.max(...parts.map((part) => part.alignment));
        fields.push({
          name: unionName,
          type: `union { ${parts.map((part) => `${part.type} ${part.name}${part.count ? `[${part.count}]` : ''};`).join(' ')} }`,
          at: place(align(size, alignment), alignment),
          size: align(size, alignment),
          text: '',
        });
        continue;
      }
      const { size, alignment } = this.#size(type, name);
      const n = count === undefined ? 1 : count === '' ? 0 : this.#count(count);
      fields.push({
        name: field,
        type: count === undefined ? type : `${type}[${count}]`,
        at: place(size * n, alignment),
        size: size * n,
        text: comment ? commentText(comment) : '',
      });
    }
    return { name, fields, size: align(offset, largest), alignment: largest };
  }

  #size(type, where) {
    if (type in SIZES) return { size: SIZES[type], alignment: SIZES[type] };
    const struct = this.structs.get(type.replace(/^struct /, ''));
    return struct ?? fail(`${where}: the size of ${type} is not known`);
  }

  #count(text) {
    return /^\d+$/.test(text) ? Number(text) : (this.constants.get(text) ?? fail(`${text} is no number`));
  }

  command({ direction, nr, struct }) {
    const size = struct === undefined ? 0 : this.structs.get(struct).size;
    const bits = { IO: 0, IOW: 1, IOR: 2, IOWR: 3 }[direction];
    return ((bits << 30) | (size << 16) | (this.constants.get('PCIEM_IOC_MAGIC') << 8) | nr) >>> 0;
  }
}

const hex = (value, digits = 0) => `0x${value.toString(16).padStart(digits, '0')}`;
const code = (text) => `\`${text}\``;
const cell = (text) =>
  text
    .replace(/\|/g, '\\|')
    .replace(/@(\w+)/g, '`$1`')
    .replace(/\b(PCIEM_\w+\*?)/g, '`$1`');

function table(head, rows) {
  return [
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

function calls(header) {
  const rows = header.ioctls
    .toSorted((a, b) => a.nr - b.nr)
    .map((call) => [
      call.nr,
      code(call.name),
      code(hex(header.command(call), 8)),
      call.struct === undefined ? 'none' : `[${code(`struct ${call.struct}`)}](#struct-${call.struct})`,
      { IO: '', IOW: 'in', IOR: 'out', IOWR: 'in, out' }[call.direction],
    ]);
  return table(['nr', 'call', 'command', 'argument', ''], rows);
}

const isFeature = (group) => group.rows.every((row) => row.name.startsWith('PCIEM_FEATURE_'));

function features(header) {
  const rows = header.groups.filter(isFeature).flatMap((group) => group.rows);
  return table(
    ['bit', 'feature', 'what it brings'],
    rows.map((row) => {
      const bit = /<< (\d+)/.exec(row.value)?.[1] ?? fail(`${row.name} is no bit`);
      const call = header.ioctls.find(
        ({ name }) => name === row.name.replace('PCIEM_FEATURE_', 'PCIEM_IOC_'),
      );
      return [bit, code(row.name), cell(row.text) || (call ? code(call.name) : '')];
    }),
  );
}

/** What a group of constants is for: as the header says, or what their names have in common. */
function heading(title, rows) {
  if (title) return `${title.replace(/\b(enum )?pciem_\w+(\.\w+)?/g, (name) => code(name))}:`;
  let common = rows[0].name;
  for (const { name } of rows) while (!name.startsWith(common)) common = common.replace(/[^_]*_?$/, '');
  return `${code(rows.length === 1 ? common : `${common}*`)}:`;
}

function constants(header) {
  const all = [
    ...header.groups
      .filter((group) => !isFeature(group) && !/^PCIEM_(IOC_MAGIC)/.test(group.rows[0].name))
      .map((group) => ({ title: group.title, rows: group.rows })),
    ...header.enums.map((item) => ({
      title: header.docs.get(item.name)?.summary ?? `enum ${item.name}`,
      members: header.docs.get(item.name)?.members,
      rows: item.rows,
    })),
  ];
  return all
    .map(({ title, rows, members }) => {
      const body = table(
        ['name', 'value', ''],
        rows.map((row) => [
          code(row.name),
          code(row.value),
          cell(row.text || (members?.get(row.name) ?? '')),
        ]),
      );
      return `${heading(title, rows)}\n\n${body}`;
    })
    .join('\n\n');
}

function structures(header) {
  return [...header.structs.values()]
    .map((struct) => {
      const doc = header.docs.get(struct.name);
      const used = header.ioctls.filter((call) => call.struct === struct.name).map((call) => code(call.name));
      const lines = [`### struct ${struct.name}`, ''];
      const about = [
        doc?.summary ? `${cell(doc.summary).replace(/^\w/, (c) => c.toUpperCase())}.` : '',
        `${struct.size} bytes.`,
        used.length > 0 ? `Argument of ${used.join(', ')}.` : '',
      ];
      lines.push(about.filter(Boolean).join(' '), '');
      lines.push(
        table(
          ['offset', 'size', 'field', 'type', ''],
          struct.fields.map((field) => [
            field.at,
            field.size,
            code(field.name),
            code(field.type),
            cell(
              doc?.members.get(field.name) || field.text || (/^(reserved|pad)/.test(field.name) ? '0' : ''),
            ),
          ]),
        ),
      );
      for (const note of doc?.notes ?? []) lines.push('', cell(note));
      return lines.join('\n');
    })
    .join('\n\n');
}

/** Bytes between members carry what was on the kernel's stack. */
function checkPadding(header) {
  for (const { name, fields, size } of header.structs.values()) {
    let end = 0;
    for (const field of fields) {
      if (field.at !== end) fail(`struct ${name} has padding before ${field.name}`);
      end = field.at + field.size;
    }
    if (end !== size) fail(`struct ${name} has padding at its end`);
  }
}

/** What is computed here against what the compiler makes of the header. */
function compare(header) {
  const asserts = [...header.structs.values()].flatMap((struct) => [
    `_Static_assert(sizeof(struct ${struct.name}) == ${struct.size}, "size of ${struct.name}");`,
    ...struct.fields.map(
      (field) =>
        `_Static_assert(__builtin_offsetof(struct ${struct.name}, ${field.name}) == ${field.at}, "${struct.name}.${field.name}");`,
    ),
  ]);
  for (const call of header.ioctls) {
    asserts.push(`_Static_assert((unsigned int)${call.name} == ${header.command(call)}u, "${call.name}");`);
  }
  const input = `#include "${HEADER}"\n${asserts.join('\n')}\n`;
  const result = spawnSync('cc', ['-xc', '-std=gnu11', '-fsyntax-only', '-I.', '-'], {
    input,
    encoding: 'utf8',
  });
  if (result.error) process.stderr.write('abi-docs: no compiler to compare with\n');
  else if (result.status !== 0) fail(`the compiler says otherwise:\n${result.stderr}`);
}

const header = new Header(readFileSync(HEADER, 'utf8'));
const old = readFileSync(DOCUMENT, 'utf8');
let text = old;
for (const [name, make] of Object.entries({ calls, features, constants, structures })) {
  const pattern = new RegExp(`(<!-- ${name}: from the header -->\n)[\\s\\S]*?(<!-- end of ${name} -->)`);
  if (!pattern.test(text)) fail(`${DOCUMENT} has no place for ${name}`);
  text = text.replace(pattern, (_, begin, end) => `${begin}\n${make(header)}\n\n${end}`);
}
for (const [name] of header.structs) {
  if (!header.docs.has(name) && process.argv.includes('--undocumented')) process.stdout.write(`${name}\n`);
}
if (process.argv.includes('--check')) {
  checkPadding(header);
  compare(header);
  if (text !== old) fail(`${DOCUMENT} is not what ${HEADER} says: run make docs`);
} else if (text !== old) {
  writeFileSync(DOCUMENT, text);
  process.stdout.write(`abi-docs: ${DOCUMENT} written\n`);
}
