import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { findObjectType } from '../../src/config/object-types.ts';
import { printConfiguration } from '../../src/config/print.ts';
import { readProperties } from '../../src/config/read-properties.ts';
import { Scanner, quote } from '../../src/config/scanner.ts';
import { ConfigErrors, Transaction } from '../../src/config/transaction.ts';
import { ConfigError } from '../../src/core/errors.ts';

const print = (configuration: Configuration): string => printConfiguration(configuration, '1');
const load = (text: string): Configuration => loadText(text, emptyConfiguration()).configuration;

/** Texts that mean something to the scanner, and lines that look like stanzas. */
const hard = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc
    .array(fc.constantFrom('"', '\\', '\n', '{', '}', '#', ' ', 'net vlan x {', '\nltm rule y {', '\r\n', 'none'), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
);
const comment = fc.string({ maxLength: 20 }).map((text) => `# ${text.replace(/[\r\n\u2028\u2029]/g, ' ')}`.trimEnd());
const name = fc.integer({ min: 1, max: 30 });

type Piece = { readonly text: string; readonly unknown?: string };

const vlan = fc.tuple(name, hard, fc.option(comment), fc.boolean()).map(([tag, description, inside, isOdd]): Piece => {
  const extra = isOdd ? `    x-${tag} { a "${tag} }" }\n` : '';
  const middle = inside === null ? '' : `    ${inside}\n`;
  return { text: `net vlan v${tag} {\n    description ${written(description)}\n${middle}${extra}    tag ${tag}\n}\n` };
});
const stranger = fc.tuple(name, hard).map(([number, value]): Piece => {
  const header = `ltm nat /Common/s${number}`;
  return { text: `${header} {\n    # it's "odd\n    value ${quote(value)}\n}\n`, unknown: header };
});
const rule = name.map((number): Piece => {
  const header = `ltm rule /Common/r${number}`;
  return { text: `${header} {\nwhen X { if { $a eq "\\{" } { log {"} } }\n}\n`, unknown: header };
});
const lead = comment.map((text): Piece => ({ text: `${text}\n` }));
const texts = fc.array(fc.oneof(vlan, vlan, stranger, rule, lead), { maxLength: 14 });

/** Without what stands in a text twice. */
function unique(pieces: readonly Piece[]): Piece[] {
  const seen = new Set<string>();
  return pieces.filter(({ text }) => {
    const header = text.startsWith('#') ? '' : text.slice(0, text.indexOf('{'));
    if (header === '') return true;
    const isNew = !seen.has(header);
    seen.add(header);
    return isNew;
  });
}

const owns = ({ objects }: Configuration): object =>
  Object.fromEntries([...objects].map(([key, { own }]) => [key, own]));

/** The bare word would take the value away. */
const written = (value: string): string => (value === 'none' ? '"none"' : quote(value));

describe('a configuration that is valid', () => {
  it('survives text, store and text, with what is not known in its place', () => {
    fc.assert(
      fc.property(texts, (drawn) => {
        const pieces = unique(drawn);
        const first = load(pieces.map(({ text }) => text).join(''));
        const printed = print(first);
        const second = load(printed);
        assert.equal(print(second), printed);
        assert.deepEqual(owns(second), owns(first));
        // Each unknown object is there as it was written, and the known object nearest before it is the same.
        let before = '';
        for (const { text, unknown } of pieces) {
          if (unknown !== undefined) {
            assert.ok(printed.includes(text), text);
            const above = printed.slice(0, printed.indexOf(text));
            const stanzas = [...above.matchAll(/^net vlan (\S+) \{$/gm)].map((match) => match[1]!);
            const nearest = stanzas.filter((path) => first.objects.has(`net vlan ${path}`)).at(-1) ?? '';
            assert.equal(nearest, before);
          } else if (text.startsWith('net vlan')) {
            before = `/Common/${text.split(' ')[2]}`;
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('keeps a value whatever it is', () => {
    fc.assert(
      fc.property(hard, hard, (one, two) => {
        const text = `net vlan a { description ${written(one)} tag 5 }\nnet interface 1.1 { description ${written(two)} }\n`;
        const { objects } = load(print(load(text)));
        assert.equal(objects.get('net vlan /Common/a')?.own.description, one);
        assert.equal(objects.get('net interface 1.1')?.own.description, two);
      }),
      { numRuns: 3000 },
    );
  });
});

const VLAN = findObjectType('net vlan')!;

type Step = { readonly verb: 'create' | 'modify' | 'delete'; readonly name: string; readonly text: string };

const step = fc
  .tuple(
    fc.constantFrom('create', 'modify', 'delete'),
    fc.constantFrom('/Common/a', '/Common/b', '/Common/c', 'bad'),
    fc.constantFrom(
      'tag 5',
      'tag 6',
      'mtu 1400',
      'description none',
      'interfaces add { 1.1 }',
      'interfaces add { 9.9 }',
    ),
  )
  .map(([verb, to, text]): Step => ({ verb, name: to, text }));

describe('a transaction', () => {
  it('that ends before its end leaves nothing, wherever that is', () => {
    const before = load('net interface 1.1 { }\nnet vlan a { tag 5 x-y z }\n# c\nltm rule r { }\n');
    const printed = print(before);
    let finished = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.nat(8), (steps, length) => {
        const transaction = new Transaction(before);
        for (const { verb, name: to, text } of steps.slice(0, length)) {
          const context = { mode: 'command', object: to, folder: '/Common', extras: [] } as const;
          const edits = readProperties(new Scanner(text), VLAN.properties, { ...context, extras: [] }, false);
          try {
            if (verb === 'create') transaction.create(VLAN, to, edits);
            else if (verb === 'modify') transaction.modify(VLAN, to, edits);
            else transaction.delete(VLAN, to);
          } catch (error) {
            assert.ok(error instanceof ConfigError, String(error));
            break;
          }
        }
        assert.equal(print(before), printed);
        if (length % 2 === 0) {
          try {
            transaction.finish();
            finished++;
          } catch (error) {
            assert.ok(error instanceof ConfigErrors, String(error));
          }
        }
        assert.equal(print(before), printed);
      }),
      { numRuns: 2000 },
    );
    assert.ok(finished > 100);
  });
});
