// beside others
// The verdict on the records of a `gtm zone` against that of named-checkzone on a file with the same records.
// time-out: 600 s

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { emptyConfiguration } from '../../src/config/configuration.ts';
import { loadText } from '../../src/config/load-text.ts';
import { quote } from '../../src/config/scanner.ts';
import { ConfigErrors } from '../../src/config/transaction.ts';
import type { GtmZone } from '../../src/config/types/gtm-zone.ts';
import { zoneOfRecords } from '../../src/config/zone-records.ts';
import { nameOf } from '../../src/dns/name.ts';
import { CORPUS_ORIGIN, ZONE_CORPUS } from '../support/zone-corpus.ts';
import { compiledLines, judge, recordLines, withoutSpace, writePrinted } from '../support/zones.ts';

const FILE = 'zone.db';
const PRINTED = 'printed.db';
const ZONE = 'gtm zone /Common/example.test';

/** Owner, TTL if there is one, class, type and data on one line without parentheses and comments. */
const RECORD = /^([^\s"$;()]+)\s+(?:(\d+)\s+)?(?:IN\s+)?([A-Za-z][A-Za-z0-9-]*)\s+([^;()\n]+)$/;

type Records = Map<string, { ttl: number; data: string[] }>;

const MAX_TTL = 0x7fff_ffff;

/** The records of a text where each is such a line: what an object is not stricter about than a file. */
function recordsOf(text: string): Records | undefined {
  const records: Records = new Map();
  const spellings = new Map<string, string>();
  if (text.includes('\r')) return undefined;
  for (const line of text.split('\n')) {
    if (line === '' || line === '$TTL 3600') continue;
    const [, owner, ttl, type, data] = RECORD.exec(line) ?? [];
    if (owner === undefined || type === undefined || data === undefined || Number(ttl ?? 0) > MAX_TTL) return undefined;
    if (owner.endsWith('.') && !`.${owner}`.toLowerCase().endsWith(`.${CORPUS_ORIGIN}`)) return undefined;
    const plain = owner.toLowerCase().replace(CORPUS_ORIGIN, '@').replace('.@', '');
    if ((spellings.get(plain) ?? owner) !== owner) return undefined;
    spellings.set(plain, owner);
    const key = `${owner}/${type}`;
    const known = records.get(key);
    if (known !== undefined && ttl !== undefined && Number(ttl) !== known.ttl) return undefined;
    if (known === undefined) records.set(key, { ttl: Number(ttl ?? 3600), data: [data] });
    else known.data.push(data);
  }
  return records;
}

/** Each record on a line, as `list` shows them. */
function fileOf(records: Records): string {
  return [...records]
    .flatMap(([key, { ttl, data }]) => {
      const [owner, type] = [key.slice(0, key.lastIndexOf('/')), key.slice(key.lastIndexOf('/') + 1)];
      return data.map((text) => `${owner} ${ttl} IN ${type} ${text}\n`);
    })
    .join('');
}

/** The zone of the records when they are accepted as an object, otherwise what is wrong with them. */
function accept(records: Records): GtmZone | string {
  const body = [...records].map(
    ([key, { ttl, data }]) => `${quote(key)} { ttl ${ttl} data { ${data.map(quote).join(' ')} } }`,
  );
  try {
    const text = `gtm zone example.test { records { ${body.join('\n')} } }\n`;
    return loadText(text, emptyConfiguration(), { file: 'f' }).configuration.views.get(ZONE) as GtmZone;
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    return error.errors.map(({ message }) => message).join('\n');
  }
}

describe('zones made record by record, as named-checkzone sees them', () => {
  let directory = '';
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'wideplane-zones-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('have the same verdict, and what is written of them is the same zone', () => {
    const differing: string[] = [];
    const counts = { good: 0, bad: 0 };
    for (const { name, text } of ZONE_CORPUS) {
      const records = recordsOf(text);
      if (records === undefined || records.size === 0) continue;
      writeFileSync(join(directory, FILE), fileOf(records));
      const { isGood, output } = judge(directory, FILE, CORPUS_ORIGIN);
      const zone = accept(records);
      counts[isGood ? 'good' : 'bad']++;
      if ((typeof zone !== 'string') !== isGood) {
        differing.push(`${name}: named-checkzone says ${output}, we say ${typeof zone === 'string' ? zone : 'yes'}`);
      }
      if (!isGood || typeof zone === 'string') continue;
      const made = zoneOfRecords(nameOf(CORPUS_ORIGIN), zone.properties).zone!;
      writePrinted(directory, PRINTED, made);
      if (!judge(directory, PRINTED, CORPUS_ORIGIN).isGood) differing.push(`${name}: what is printed is refused`);
      const caseless = (lines: readonly string[]) => lines.map((line) => line.toLowerCase());
      const theirs = caseless(compiledLines(directory, FILE, CORPUS_ORIGIN));
      const ours = caseless(withoutSpace(recordLines(made)));
      if (ours.join('\n') !== theirs.join('\n'))
        differing.push(`${name}: we have ${ours.join(' ')}, named ${theirs.join(' ')}`);
    }
    assert.deepEqual(differing, []);
    assert.ok(counts.good >= 60 && counts.bad >= 60, JSON.stringify(counts));
  });
});
