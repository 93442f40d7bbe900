import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { applyChanges, diffObjects } from '../../src/config/change.ts';
import type { ObjectMap } from '../../src/config/change.ts';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { OBJECT_TYPES } from '../../src/config/object-types.ts';
import { printConfiguration } from '../../src/config/print.ts';
import { vocabularyOf } from '../../src/config/read-properties.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import { ConfigSyntaxError } from '../../src/core/errors.ts';
import type { TextPosition } from '../../src/core/errors.ts';
import { command, dnsCommand, FIRST_COMMANDS, WIDE_IP_COMMANDS, wideIpCommand } from '../support/config-commands.ts';
import { TmshSession } from '../support/tmsh-session.ts';

const commands = fc
  .tuple(
    fc.constant([...FIRST_COMMANDS, ...WIDE_IP_COMMANDS]),
    fc.array(fc.oneof({ arbitrary: command, weight: 5 }, dnsCommand, { arbitrary: wideIpCommand, weight: 3 }), {
      maxLength: 30,
    }),
  )
  .map((parts) => parts.flat());

function reload(configuration: Configuration): Configuration {
  return loadText(printConfiguration(configuration, '1'), emptyConfiguration()).configuration;
}

function plain(views: ObjectMap): object {
  return Object.fromEntries([...views].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('random change sequences', () => {
  it('give what a fresh start from the saved text gives, by diffs as by snapshot', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        const session = new TmshSession();
        let followed: ObjectMap = session.configuration.views;
        for (const each of sequence) {
          const before = session.configuration;
          if ((await session.refusal(each)) !== undefined) {
            assert.equal(session.configuration, before);
            continue;
          }
          accepted++;
          followed = applyChanges(followed, diffObjects(before.views, session.configuration.views));
        }
        assert.deepEqual(plain(followed), plain(session.configuration.views));
        const again = reload(session.configuration);
        assert.deepEqual(plain(again.views), plain(session.configuration.views));
        assert.equal(printConfiguration(again, '1'), printConfiguration(session.configuration, '1'));
        assert.deepEqual(diffObjects(session.configuration.views, again.views), []);
      }),
      { numRuns: 150 },
    );
    assert.ok(accepted > 400, `only ${accepted} commands were accepted: the property says little`);
  });
});

const words = fc.constantFrom(
  ...OBJECT_TYPES.flatMap((type) => [type.path, ...vocabularyOf(type.properties).keys()]),
  ...[
    '{',
    '}',
    '{',
    '}',
    '"',
    '\\',
    '#',
    '\n',
    '\n',
    'none',
    'default',
    'all',
    'add',
    'x',
    '1',
    '1.1',
    '10.1.1.1',
    '10.1.1.1/24',
  ],
  ...['00:00:00:00:00:01', 'vxlan', '/Common/wan', '/', '%', '__proto__', 'constructor', 'toString', '\0', 'é', '😀'],
);
const garbage = fc.oneof(
  fc.array(words, { maxLength: 40 }).map((parts) => parts.join(' ')),
  fc
    .array(fc.tuple(words, words, words, words), { maxLength: 8 })
    .map((parts) => parts.map(([a, b, c, d]) => `net vlan ${a} {\n ${b} ${c}\n${d} }\n`).join('')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);

function isWithin(position: TextPosition | undefined, source: string): boolean {
  if (position === undefined) return false;
  const lines = source.split('\n');
  const line = lines[position.line - 1];
  return line !== undefined && position.column >= 1 && position.column <= line.length + 1;
}

describe('garbage', () => {
  it('is refused with a place inside it, or kept so that it reads the same again', () => {
    fc.assert(
      fc.property(garbage, (source) => {
        try {
          const { configuration } = loadText(source, emptyConfiguration());
          const printed = printConfiguration(configuration, '1');
          assert.equal(printConfiguration(reload(configuration), '1'), printed);
        } catch (error) {
          const errors = error instanceof ConfigErrors ? error.errors : [error];
          for (const each of errors) {
            if (each instanceof ConfigSyntaxError) assert.ok(isWithin(each.details.position, source), each.message);
            else if (error instanceof ConfigErrors) assert.ok(each instanceof Error && each.name === 'ConfigError');
            else throw error;
          }
          if (error instanceof ConfigErrors) {
            for (const each of error.errors) assert.ok(isWithin(each.details.position, source), each.message);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('as a command changes nothing and says why', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('create ', 'modify ', 'delete ', 'list ', ''), garbage, async (verb, rest) => {
        const session = new TmshSession();
        const before = session.configuration;
        if ((await session.refusal(verb + rest)) !== undefined) assert.equal(session.configuration, before);
      }),
      { numRuns: 1500 },
    );
  });
});
