// The parts of the shell that need no terminal: prompt, history, how completion is shown.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { HISTORY_SIZE, History, rememberedLine } from '../../../src/cli/shell/history.ts';
import { promptText } from '../../../src/cli/shell/prompt.ts';
import { renderCompletion } from '../../../src/cli/shell/render-completion.ts';
import { string } from '../../../src/config/kinds.ts';
import { objectType } from '../../../src/config/object-type.ts';
import { mentionsSecret } from '../../../src/tmsh/secrets.ts';

const root = mkdtempSync(join(tmpdir(), 'shell-parts-'));
after(() => rmSync(root, { recursive: true }));

describe('the prompt', () => {
  const here = { user: 'root', host: 'site-1.example.net', folder: '/Common', module: '', isBatch: false };

  it('is that of a BIG-IP', () => {
    const device = { sync: 'Standalone', failover: 'Active' };
    assert.equal(promptText({ ...here, device }), 'root@(site-1)(cfg-sync Standalone)(Active)(/Common)(tmos)# ');
    assert.equal(
      promptText({ ...here, device, folder: '/test', module: 'net tunnels' }),
      'root@(site-1)(cfg-sync Standalone)(Active)(/test)(tmos.net.tunnels)# ',
    );
  });

  it('says that changes wait in a transaction', () => {
    assert.match(promptText({ ...here, device: undefined, isBatch: true }), /^\[batch mode\]root@/);
  });

  it('claims nothing while configd does not answer', () => {
    assert.match(promptText({ ...here, device: undefined }), /\(cfg-sync Disconnected\)\(INOPERATIVE\)/);
  });
});

describe('the history', () => {
  it('keeps commands for their owner alone, the newest first when it is read', async () => {
    const file = join(root, 'history');
    const history = new History(file);
    assert.deepEqual(await history.load(), []);
    await history.append('one');
    await history.append('two');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await new History(file).load(), ['two', 'one']);
  });

  it('does not grow without end', async () => {
    const file = join(root, 'long');
    const lines = Array.from({ length: 2 * HISTORY_SIZE + 1 }, (_, index) => `command ${index}`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    const loaded = await new History(file).load();
    assert.equal(loaded.length, HISTORY_SIZE);
    assert.equal(loaded[0], lines.at(-1));
    assert.equal(readFileSync(file, 'utf8').split('\n').length, HISTORY_SIZE + 1);
  });

  it('does without a file that cannot be written', async () => {
    const history = new History(join(root, 'none', 'history'));
    await history.append('one');
    assert.deepEqual(await history.load(), []);
  });

  it('holds a command of several lines on one, unless that would change it', () => {
    assert.equal(rememberedLine('create net vlan a {\n    tag 3\n}'), 'create net vlan a { tag 3 }');
    assert.equal(rememberedLine('modify net vlan a description "x\ny"'), undefined);
    assert.equal(rememberedLine('create net vlan a {\n# why\n tag 3 }'), undefined);
    assert.equal(rememberedLine(' list '), 'list');
  });

  it('holds no secrets, wherever they stand', () => {
    const type = objectType({
      path: 'net ipsec ike-peer',
      label: 'IKE peer',
      help: '',
      naming: 'full-path',
      sync: 'local',
      example: 'net ipsec ike-peer p { }',
      properties: { description: string({ help: '' }), 'preshared-key': string({ help: '', secret: true }) },
    });
    assert.ok(mentionsSecret('create net ipsec ike-peer p { preshared-key s3cret }', [type]));
    assert.ok(mentionsSecret('create net ipsec ike-peer p {preshared-key s3cret}', [type]));
    assert.ok(!mentionsSecret('create net ipsec ike-peer p { description x }', [type]));
  });
});

describe('what completion found', () => {
  const nothing = { replaces: 0, common: '', count: 0, values: [], groups: [] };

  it('is shown in groups, help beside each word and broken below it', () => {
    const groups = [
      {
        title: 'Properties',
        offers: [
          { text: 'tag', help: 'The VLAN ID of the network, as it stands in frames.', mark: 'required' as const },
          { text: 'mtu', help: 'Octets.', mark: 'given' as const },
        ],
        more: 0,
      },
    ];
    assert.equal(
      renderCompletion({ ...nothing, groups }, 44),
      'Properties:\n  tag  [required] The VLAN ID of the\n       network, as it stands in frames.\n  mtu  [given] Octets.\n',
    );
  });

  it('shows names side by side, and says how many there are besides', () => {
    const groups = [{ title: 'VLAN names', offers: ['a', 'b', 'c'].map((text) => ({ text, help: '' })), more: 4 }];
    assert.equal(
      renderCompletion({ ...nothing, groups }, 80),
      'VLAN names:\n  a  b  c\n  and 4 more: type more of the name\n',
    );
  });

  it('shows what is wrong, and values that cannot be listed', () => {
    const values = [{ expects: 'an integer', help: 'Octets.' }];
    assert.equal(renderCompletion({ ...nothing, values }, 80), 'Values:\n  [an integer]  Octets.\n');
    assert.equal(
      renderCompletion({ ...nothing, problem: 'unexpected argument "x"' }, 80),
      'Syntax Error: unexpected argument "x"\n',
    );
    assert.equal(renderCompletion(nothing, 80), '');
  });
});
