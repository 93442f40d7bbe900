import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { CONFIG_FORMAT, MIGRATIONS, migrateText } from '../../../src/config/format.ts';
import type { Formats, Migration } from '../../../src/config/format.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import { ConfigErrors } from '../../../src/config/transaction.ts';
import { describeConfigError } from '../../../src/core/errors.ts';

const FIXTURES = fileURLToPath(new URL('../../../../test/fixtures/config', import.meta.url));

/** Formats to come: 2 calls the MTU `mtu` instead of `hw-mtu`, 3 the tag `tag` instead of `vlan-id`. */
const rename = (from: number, old: string, name: string): Migration => ({
  from,
  help: `${old} became ${name}`,
  migrate: (text) => text.replaceAll(new RegExp(`(?<=^ +)${old}(?= )`, 'gm'), name),
});
const FUTURE: Formats = { current: 3, migrations: [rename(1, 'hw-mtu', 'mtu'), rename(2, 'vlan-id', 'tag')] };

const load = (text: string, formats?: Formats) =>
  loadText(text, emptyConfiguration(), { file: 'f.conf', ...(formats === undefined ? {} : { formats }) });

function refusal(text: string, formats?: Formats): string {
  try {
    load(text, formats);
  } catch (error) {
    assert.ok(error instanceof ConfigErrors);
    return error.errors.map(describeConfigError).join('\n');
  }
  return 'accepted';
}

describe('the format of configuration text', () => {
  it('of every file since the first is read, and nothing of it is lost', () => {
    const files = readdirSync(FIXTURES).sort();
    assert.deepEqual(
      files,
      Array.from({ length: CONFIG_FORMAT }, (_, index) => `format-${index + 1}.conf`),
    );
    for (const file of files) {
      const text = readFileSync(`${FIXTURES}/${file}`, 'utf8');
      const printed = printConfiguration(load(text).configuration, '0.1.0');
      assert.match(printed, new RegExp(`^#TMSH-VERSION: 0.1.0\n#WIDEPLANE-FORMAT: ${CONFIG_FORMAT}\n\nltm `));
      assert.equal(printConfiguration(load(printed).configuration, '0.1.0'), printed);
      if (file === `format-${CONFIG_FORMAT}.conf`) assert.equal(printed.replace(/#WIDEPLANE.*\n/, ''), text);
    }
  });

  it('has a migration from every older one', () => {
    assert.deepEqual(
      MIGRATIONS.map(({ from }) => from),
      Array.from({ length: CONFIG_FORMAT - 1 }, (_, index) => index + 1),
    );
  });

  it('leads through all migrations that follow, in order, each with a warning', () => {
    const old = 'net vlan /Common/a {\n    hw-mtu 1400\n    vlan-id 7\n}\n';
    for (const head of ['', '# by hand\n', '#TMSH-VERSION: 17.1.0\n\n', '#TMSH-VERSION: 1\n#WIDEPLANE-FORMAT: 1\n\n']) {
      const { configuration, warnings, unknown } = load(head + old, FUTURE);
      const { own } = configuration.objects.get('net vlan /Common/a')!;
      assert.deepEqual([own.mtu, own.tag], [1400, 7]);
      assert.deepEqual(unknown, []);
      assert.deepEqual(
        warnings.map(({ text }) => text),
        ['format 1 was read: hw-mtu became mtu.', 'format 1 was read: vlan-id became tag.'],
      );
    }
    const second = load(
      '#TMSH-VERSION: 2\n#WIDEPLANE-FORMAT: 2\nnet vlan a {\n    hw-mtu 1400\n    vlan-id 7\n}\n',
      FUTURE,
    );
    assert.equal(second.configuration.objects.get('net vlan /Common/a')?.own.tag, 7);
    assert.match(second.unknown[0]!.text, /property "hw-mtu" is not known/);
    assert.deepEqual(load(`#WIDEPLANE-FORMAT: 3\n${old}`, FUTURE).warnings, []);
  });

  it('is refused when a later version wrote it, with a sentence and the line', () => {
    assert.equal(
      refusal('#TMSH-VERSION: 2.0.0\n#WIDEPLANE-FORMAT: 9\n\nnet vlan a { tag 5 }\n'),
      'f.conf:2:1: 01070734:3: Configuration error: f.conf is in format 9, and this version reads format 1.\n' +
        '  It was written by version 2.0.0: install that one, or load an older file (list sys config history).',
    );
    assert.match(refusal('#WIDEPLANE-FORMAT: 4\n', FUTURE), /format 4, and this version reads formats 1 to 3/);
    for (const word of ['0', '-1', 'x', '1.5', '']) {
      assert.match(refusal(`\n\n#WIDEPLANE-FORMAT: ${word}\n`), /^f\.conf:3:1: .*names no format: "/);
    }
  });

  it('is said before the first object and nowhere else', () => {
    assert.equal(refusal('net vlan a { tag 5 }\n#WIDEPLANE-FORMAT: 9\n'), 'accepted');
    assert.equal(refusal('net vlan a {\n    description "\n#WIDEPLANE-FORMAT: 9\n"\n}\n'), 'accepted');
    assert.equal(migrateText('#'.repeat(5) + '\n'.repeat(300_000)).from, 1);
  });
});
