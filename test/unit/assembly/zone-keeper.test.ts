// The zones of dnsd: serials that only go up, files that are written and read, and what is served when one of them is broken.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { collectGarbage, WORTH_COLLECTING_OCTETS } from '../../../src/assembly/dnsd/collect-garbage.ts';
import { ZoneKeeper, type ServedZones } from '../../../src/assembly/dnsd/zone-keeper.ts';
import { zoneFileName } from '../../../src/assembly/dnsd/written-zone.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import type { GtmZone } from '../../../src/config/types/gtm-zone.ts';
import { isSerialAfter, serialAfter } from '../../../src/dns/serial.ts';
import type { ZoneTable } from '../../../src/dns/zone-table.ts';
import { judge } from '../../support/zones.ts';

const root = mkdtempSync(join(tmpdir(), 'zones-'));
after(() => rmSync(root, { recursive: true, force: true }));

const lines: string[] = [];
const note = (message: string, fields?: object): void => void lines.push(`${JSON.stringify(fields ?? {})} ${message}`);
const log = { debug: note, info: note, warn: note, error: note };

let directory = '';
let count = 0;
beforeEach(() => {
  directory = join(root, String(++count));
  lines.length = 0;
});

const newKeeper = () => new ZoneKeeper({ directory, log });

/** Zones as dnsd gets them. */
function zones(text: string): GtmZone[] {
  const { views } = loadText(text, emptyConfiguration(), { file: 'f' }).configuration;
  return [...views.values()].filter(({ type }) => type === 'gtm zone') as GtmZone[];
}

const records = (serial: number, more = '', name = 'example.com', after = ''): string =>
  `gtm zone ${name} { records { @/soa { data { "ns1 h ${serial} 2 3 4 5" } } @/ns { data { ns1 } } ns1/a { data { 192.0.2.1 } } ${more} } ${after} }\n`;
const fromFile = (file: string, name = 'example.com', after = ''): string =>
  `gtm zone ${name} { file "${file}" ${after} }\n`;
const HEAD = (serial: number): string => `$TTL 60\n@ SOA ns1 h ${serial} 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n`;

const serials = ({ tables }: ServedZones): number[] => tables.map(({ serial }) => serial);
const written = (name = 'example.com'): string => readFileSync(join(directory, `${name}.zone`), 'latin1');

describe('serial numbers of zones', () => {
  it('are compared as RFC 1982 has it, and 0 is left out', () => {
    const after: readonly [number, number, boolean][] = [
      [1, 0, true],
      [0, 1, false],
      [5, 5, false],
      [0, 0xffff_ffff, true],
      [0x7fff_ffff, 0, true],
      [0x8000_0000, 0, false],
      [0, 0x8000_0000, false],
      [0x8000_0001, 0, false],
    ];
    for (const [a, b, expected] of after) assert.equal(isSerialAfter(a, b), expected, `${a} after ${b}`);
    assert.deepEqual(
      [
        serialAfter(7, 3),
        serialAfter(7, 7),
        serialAfter(7, 9),
        serialAfter(0xffff_ffff, 1),
        serialAfter(0xffff_ffff, 9),
      ],
      [8, 8, 9, 1, 9],
    );
  });
});

describe('the name of the file of a zone', () => {
  it('is one that every file system takes, and no two are alike', () => {
    const long = 'a-rather-long-label-of-a-name.'.repeat(8);
    const origins = [
      'example.com.',
      '.',
      '..\\/etc.',
      'a/b.',
      '%2fb.',
      '-x.',
      '.x.',
      '2.0.192.in-addr.arpa.',
      long,
      `b${long}`,
    ];
    const names = origins.map(zoneFileName);
    assert.deepEqual(names.slice(0, 2), ['example.com.zone', '%2e.zone']);
    for (const name of names) assert.match(name, /^[a-z0-9_%][a-z0-9_.%-]{0,249}$/);
    assert.equal(new Set(names).size, names.length);
  });
});

describe('a zone whose records are in the configuration', () => {
  it('is written as named-checkzone takes it', async () => {
    const { tables, failures } = await newKeeper().want(zones(records(7, 'a/txt { data { "\\"x; y\\"" } ttl 9 }')));
    assert.deepEqual([tables.length, failures], [1, []]);
    const { isGood, output } = judge(directory, 'example.com.zone', 'example.com.');
    assert.ok(isGood && output.includes('loaded serial 7'), output);
    assert.match(written(), /^; Made by wideplane.*\n\$ORIGIN example\.com\.\n@ 3600 IN SOA .* 7 2 3 4 5\n/);
    assert.match(written(), /\na 9 IN TXT "x; y"\n/);
    assert.equal(statSync(join(directory, 'example.com.zone')).mode & 0o777, 0o600);
  });

  it('has a serial that goes up with each change, back to what there was as well, and stays otherwise', async () => {
    const [first, second] = [records(7), records(7, 'a/a { data { 192.0.2.2 } }')];
    let keeper = newKeeper();
    assert.deepEqual(serials(await keeper.want(zones(first))), [7]);
    assert.deepEqual(serials(await keeper.want(zones(second))), [8]);
    assert.deepEqual(serials(await keeper.want(zones(first))), [9], 'back again');
    const text = written();
    assert.match(text, / 9 2 3 4 5\n/);
    const { ino } = statSync(join(directory, 'example.com.zone'));
    // In another order, with a description, after a restart, with a lower serial: the same records.
    const same = records(3)
      .replace('@/ns { data { ns1 } } ns1/a', 'ns1/a')
      .replace('} }  } ', '} } @/ns { data { ns1 } } } description x ');
    assert.match(same, /@\/ns .* description x/);
    assert.deepEqual(serials(await keeper.want(zones(same))), [9]);
    keeper = newKeeper();
    assert.deepEqual(serials(await keeper.want(zones(same))), [9]);
    assert.equal(statSync(join(directory, 'example.com.zone')).ino, ino, 'not written again');
    keeper = newKeeper();
    assert.deepEqual(serials(await keeper.want(zones(second))), [10], 'changed while it was down');
    assert.deepEqual(serials(await keeper.want(zones(records(2026113001)))), [2026113001], 'what the object says');
    assert.deepEqual(serials(await keeper.want(zones(records(2026113002)))), [2026113002], 'alone');
    assert.deepEqual(serials(await keeper.want(zones(records(1)))), [2026113002], 'a lower one is no change');
    assert.ok(judge(directory, 'example.com.zone', 'example.com.').isGood);
  });

  it('goes on behind the largest serial', async () => {
    const keeper = newKeeper();
    assert.deepEqual(serials(await keeper.want(zones(records(0xffff_ffff)))), [0xffff_ffff]);
    assert.deepEqual(serials(await keeper.want(zones(records(0xffff_ffff, 'a/a { data { 192.0.2.2 } }')))), [1]);
  });

  it('goes on from the serial of the file that it was read from, and keeps its own while it is disabled', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'mine'), HEAD(500));
    const keeper = newKeeper();
    assert.deepEqual(serials(await keeper.want(zones(fromFile('mine')))), [500]);
    assert.deepEqual(serials(await keeper.want(zones(records(1)))), [501]);
    assert.deepEqual(serials(await keeper.want(zones(records(1, '', 'example.com', 'disabled')))), []);
    assert.match(written(), / 501 2 3 4 5/);
    assert.deepEqual(serials(await keeper.want(zones(records(1, 'b/a { data { 192.0.2.2 } }')))), [502]);
  });

  it('is served when it cannot be written, and written as soon as it can be', async () => {
    mkdirSync(join(directory, 'example.com.zone'), { recursive: true });
    const keeper = newKeeper();
    const first = await keeper.want(zones(records(7)));
    assert.deepEqual(serials(first), [7]);
    assert.match(
      first.failures[0]!.reason,
      /it is served, but not written: cannot read .*illegal operation on a directory/,
    );
    assert.equal(first.failures[0]!.object, '/Common/example.com');
    assert.match(lines.join('\n'), /zone-unwritten/);
    assert.deepEqual(serials(await keeper.want(zones(records(7, 'a/a { data { 192.0.2.2 } }')))), [8]);
    rmSync(join(directory, 'example.com.zone'), { recursive: true });
    const last = await keeper.want(zones(records(7, 'a/a { data { 192.0.2.2 } }')));
    assert.deepEqual([serials(last), last.failures], [[8], []]);
    assert.match(written(), / 8 2 3 4 5/);
  });

  it('is served when there is no room for its directory', async () => {
    writeFileSync(directory, '');
    const { tables, failures } = await newKeeper().want(zones(records(7)));
    assert.equal(tables.length, 1);
    assert.match(failures[0]!.reason, /it is served, but not written/);
  });

  it('does not write over a file that somebody else has made', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'example.com.zone'), HEAD(1));
    const { tables, failures } = await newKeeper().want(zones(records(7)));
    assert.equal(tables.length, 1);
    assert.match(
      failures[0]!.reason,
      /example\.com\.zone was not made by wideplane, and is left as it is: move it away/,
    );
    assert.equal(written(), HEAD(1));
  });

  it('takes its file along when it goes, also while dnsd is down, and no other', async () => {
    const keeper = newKeeper();
    const both = records(1) + records(1, '', 'example.net');
    await keeper.want(zones(both));
    writeFileSync(join(directory, 'mine.zone'), HEAD(1));
    writeFileSync(join(directory, '.example.org.zone.999999999.1.tmp'), 'x');
    await keeper.want(zones(records(1)));
    assert.deepEqual(readdirSync(directory).sort(), ['example.com.zone', 'mine.zone']);
    await newKeeper().want([]);
    assert.deepEqual(readdirSync(directory), ['mine.zone']);
    await newKeeper().want(zones(records(1)));
    // Whoever goes on with the file that was written has it.
    const { tables, failures } = await newKeeper().want(zones(fromFile('example.com.zone')));
    assert.deepEqual([tables.length, failures], [1, []]);
    await newKeeper().want([]);
    assert.deepEqual(readdirSync(directory), ['mine.zone']);
  });
});

describe('a zone in a file', () => {
  beforeEach(() => mkdirSync(directory));

  it('is read with what it includes, relative to the file that names it', async () => {
    mkdirSync(join(directory, 'sub/deep'), { recursive: true });
    writeFileSync(join(directory, 'sub/main'), `${HEAD(1)}$INCLUDE deep/one\n`);
    writeFileSync(join(directory, 'sub/deep/one'), 'a A 192.0.2.2\n$INCLUDE two b\n');
    writeFileSync(join(directory, 'sub/deep/two'), '@ A 192.0.2.3\nc A 192.0.2.4\n');
    const keeper = newKeeper();
    const { failures } = await keeper.want(zones(fromFile('sub/main')));
    assert.deepEqual(failures, []);
    const [status] = keeper.statusOf();
    assert.equal(status!.served!.records, 6);
    assert.equal(status!.file, join(directory, 'sub/main'));
    assert.equal(status!.origin, 'example.com.');
    writeFileSync(join(directory, 'sub/deep/two'), '@ A 192.0.2.3\nc A 192.0.2\n  TXT "\n$INCLUDE three\n');
    const broken = await keeper.reload();
    const two = join(directory, 'sub/deep/two');
    const problems = keeper.statusOf()[0]!.problems;
    assert.ok(problems[0]!.startsWith(`${two}:2:5: error: `), problems[0]);
    assert.ok(problems[1]!.startsWith(`${two}:3:7: error: `), problems[1]);
    assert.match(problems[2]!, /two:4:10: error: "three": ENOENT/);
    assert.ok(broken.failures[0]!.reason.startsWith(problems[0]!), broken.failures[0]!.reason);
  });

  it('with errors is served as it was before, and again when they are gone', async () => {
    const file = join(directory, 'zone');
    writeFileSync(file, HEAD(5));
    const keeper = newKeeper();
    const wanted = zones(fromFile('zone'));
    const { tables } = await keeper.want(wanted);
    writeFileSync(file, `${HEAD(6)}a A 1\n`);
    assert.deepEqual((await keeper.want(wanted)).failures, [], 'nobody has asked to read it again');
    const broken = await keeper.reload('/Common/example.com');
    assert.equal(broken.tables[0], tables[0]);
    assert.match(broken.failures[0]!.reason, /zone:5:5: error: .*; serial 5 goes on being served/);
    assert.match(lines.join('\n'), /zone-refused/);
    writeFileSync(file, HEAD(6));
    assert.deepEqual(serials(await keeper.reload('/Common/other')), [5]);
    const mended = await keeper.reload('/Common/example.com');
    assert.deepEqual([serials(mended), mended.failures, keeper.statusOf()[0]!.problems], [[6], [], []]);
    writeFileSync(file, HEAD(4));
    assert.deepEqual(serials(await keeper.reload()), [4]);
    assert.deepEqual(keeper.statusOf()[0]!.problems, ['warning: the serial went back from 6 to 4']);
    rmSync(file);
    const gone = await keeper.reload();
    assert.match(gone.failures[0]!.reason, /zone: ENOENT: .*; serial 4 goes on being served/);
    assert.deepEqual(serials(gone), [4]);
    assert.match((await newKeeper().want(wanted)).failures[0]!.reason, /; it is not served/);
  });

  it('must be a file', async () => {
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    for (const file of ['pipe', directory, '/dev/zero']) {
      const { tables, failures } = await newKeeper().want(zones(fromFile(file)));
      assert.equal(tables.length, 0);
      assert.match(failures[0]!.reason, /not a file; it is not served/);
    }
  });

  const LARGE = Array.from(
    { length: 60_000 },
    (_, index) => `host-${index} A 10.0.${(index >> 8) & 255}.${index & 255}\n`,
  ).join('');

  it('that is large is read beside the main thread, and is the same then', async () => {
    writeFileSync(join(directory, 'large'), HEAD(1) + LARGE);
    writeFileSync(join(directory, 'including'), `${HEAD(1)}$INCLUDE rest\n`);
    writeFileSync(join(directory, 'rest'), LARGE);
    assert.ok(LARGE.length > 1024 * 1024);
    const parts: (readonly ZoneTable[])[] = [];
    const keeper = new ZoneKeeper({ directory, log, onPart: (tables) => parts.push(tables) });
    let longest = 0;
    let last = performance.now();
    const clock = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const wanted = zones(records(1, '', 'small.test') + fromFile('large') + fromFile('including', 'example.net'));
    const { tables, failures } = await keeper.want(wanted);
    clearInterval(clock);
    assert.deepEqual([tables.length, failures], [3, []]);
    assert.deepEqual(
      parts.map((part) => part.length),
      [1],
      'small zones do not wait',
    );
    const [large, included] = tables.filter(({ nodes }) => nodes.length > 1000);
    assert.ok(large!.octets.buffer instanceof SharedArrayBuffer);
    assert.deepEqual([large!.nodes.length, large!.sets.length], [included!.nodes.length, included!.sets.length]);
    assert.equal(keeper.statusOf().filter(({ served }) => served?.records === 60_003).length, 2);
    assert.ok(longest < 250, `the main thread stood still for ${longest} ms`);
    writeFileSync(join(directory, 'large'), `${HEAD(2)}${LARGE}x A 1\n`);
    const broken = await keeper.reload('/Common/example.com');
    assert.match(broken.failures[0]!.reason, /large:60005:5: error: /);
    assert.equal(broken.tables.includes(large!), true);
  });

  it('is gone when another one has taken its place and garbage was collected', async () => {
    writeFileSync(join(directory, 'large'), HEAD(1) + LARGE);
    const keeper = newKeeper();
    const memory = new WeakRef((await keeper.want(zones(fromFile('large')))).tables[0]!.octets.buffer);
    let replaced = 0;
    for (let load = 0; load < 3; load++) replaced += (await keeper.reload()).replacedOctets;
    assert.ok(replaced > WORTH_COLLECTING_OCTETS, `${replaced} octets`);
    collectGarbage();
    assert.equal(memory.deref(), undefined);
    assert.equal((await keeper.want([])).replacedOctets * 3, replaced);
  });

  it('is read in the order in which it is asked for', async () => {
    writeFileSync(join(directory, 'large'), HEAD(1) + LARGE);
    const keeper = newKeeper();
    const [one, two] = await Promise.all([keeper.want(zones(fromFile('large'))), keeper.want(zones(records(3)))]);
    assert.deepEqual([serials(one), serials(two)], [[1], [3]]);
    assert.ok(existsSync(join(directory, 'example.com.zone')));
  });
});
