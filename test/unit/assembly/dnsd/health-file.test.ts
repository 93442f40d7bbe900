import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, mock } from 'node:test';
import { HealthFile } from '../../../../src/assembly/dnsd/health-file.ts';
import type { Log } from '../../../../src/core/log.ts';
import { type KnownFacts, newKnownFacts } from '../../../../src/gtm/fact-layers.ts';
import { pathKey } from '../../../../src/gtm/facts.ts';

let directory: string;
const lines: string[] = [];
const note = (message: string, fields: unknown): number =>
  lines.push(`${(fields as { code: string }).code} ${message}`);
const log = { debug: note, info: note, warn: note, error: note } as unknown as Log;

function someFacts(): KnownFacts {
  const facts = newKnownFacts();
  const { hand, measured } = facts;
  hand.virtualServers.set('/Common/s1:v1', {
    status: 'offline',
    reason: 'no "power"\nat all',
    connections: 3,
    score: 0,
  });
  hand.virtualServers.set('/Common/s1:v2', {});
  hand.members.set('a /Common/p /Common/s1:v1', { status: 'available', reason: 'set by hand', since: 1 });
  measured.virtualServers.set('/Common/s1:v1', { status: 'available', reason: 'answers', since: 2, goodFor: 16 });
  measured.servers.set('/Common/s1', { status: 'unknown', reason: 'Checking', since: 2, goodFor: 120 });
  measured.members.set('a /Common/p /Common/s1:v2', { status: 'offline', reason: 'refused', since: 3, goodFor: 16 });
  facts.heard = 1_796_000_000_000;
  hand.servers.set('/Common/s1', { status: 'available', cpu: 12, memoryAvailable: 4000, kilobytesPerSecond: 1 });
  const path = { client: '2001:db8::1', datacenter: '/Common/d', roundTripTime: 1500, expires: 2_000_000_000 };
  facts.paths.set(pathKey(path.client, path.datacenter), path);
  facts.held.add('a /Common/p /Common/s1:v1');
  return facts;
}

async function written(path: string, facts: KnownFacts): Promise<string> {
  const file = new HealthFile(path, log);
  file.touch(facts);
  await file.close(facts);
  return readFileSync(path, 'utf8');
}

describe('the file of what is known of health', () => {
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'wideplane-health-'));
  });
  after(() => rmSync(directory, { recursive: true }));

  it('gives back what was written', async () => {
    const path = join(directory, 'whole');
    assert.deepEqual(await new HealthFile(path, log).read(), newKnownFacts());
    await written(path, someFacts());
    assert.deepEqual(await new HealthFile(path, log).read(), someFacts());
    assert.deepEqual(lines, []);
  });

  it('is read as it was written before there was anything but the hand', async () => {
    const path = join(directory, 'old');
    writeFileSync(
      path,
      [
        '{"wideplane-health":1}',
        '{"virtualServer":"/Common/s1:v1","facts":{"status":"offline","reason":"no power","connections":3}}',
        '{"server":"/Common/s1","facts":{"cpu":4}}',
        '{"held":"a /Common/p /Common/s1:v1"}',
        '{"entries":3}',
        '',
      ].join('\n'),
    );
    const facts = newKnownFacts();
    facts.hand.virtualServers.set('/Common/s1:v1', { status: 'offline', reason: 'no power', connections: 3 });
    facts.hand.servers.set('/Common/s1', { cpu: 4 });
    facts.held.add('a /Common/p /Common/s1:v1');
    assert.deepEqual(await new HealthFile(path, log).read(), facts);
  });

  it('is kept aside, whatever part of it is missing or changed', async () => {
    const path = join(directory, 'damaged');
    const text = await written(path, someFacts());
    const damaged = Array.from({ length: text.length }, (_, end) => text.slice(0, end));
    for (const [from, to] of [
      ['offline', 'orange'],
      ['"connections":3', '"connections":-3'],
      ['"connections":3', '"conections":3'],
      ['{"wideplane-health":1}', '{"wideplane-health":2}'],
    ] as const) {
      assert.ok(text.includes(from));
      damaged.push(text.replace(from, to));
    }
    for (const content of damaged) {
      lines.length = 0;
      writeFileSync(path, content);
      assert.deepEqual(await new HealthFile(path, log).read(), newKnownFacts());
      assert.equal(existsSync(path), false);
      assert.equal(readFileSync(`${path}.damaged`, 'utf8'), content);
      assert.equal(lines.length, 1);
      assert.match(lines[0]!, /^health-damaged .*; it is kept as .*damaged\.damaged$/);
    }
  });

  it('is written once for many changes, as things are then, and once a second at most', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const path = join(directory, 'often');
      const facts = newKnownFacts();
      const file = new HealthFile(path, log);
      for (let change = 0; change < 100; change++) {
        facts.hand.virtualServers.set('/Common/s1:v1', { connections: change });
        file.touch(facts);
      }
      mock.timers.tick(999);
      assert.equal(existsSync(path), false);
      mock.timers.tick(1);
      await file.close(facts);
      assert.match(readFileSync(path, 'utf8'), /"connections":99/);
      assert.deepEqual(
        readdirSync(directory).filter((name) => name.startsWith('.')),
        [],
      );
    } finally {
      mock.timers.reset();
    }
  });

  it('says once that it cannot be written', async () => {
    const missing = join(directory, 'not-there', 'health');
    lines.length = 0;
    const file = new HealthFile(missing, log);
    for (let change = 0; change < 3; change++) {
      file.touch(newKnownFacts());
      await file.close(newKnownFacts());
    }
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /^health-unwritten cannot write .*no such file or directory/);
  });
});
