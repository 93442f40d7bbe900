// Security associations in tmsh: the layout of the manual, filters, deletion, and what completion offers.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AssociationRow } from '../../../src/ipc/ipsec-schema.ts';
import { associationPageSchema } from '../../../src/ipc/ipsec-schema.ts';
import { complete } from '../../../src/tmsh/complete.ts';
import { shortNumber } from '../../../src/tmsh/verbs/ipsec-sa.ts';
import { FakeIpsecStatistics, MANUAL_ROWS } from '../../support/ipsec-statistics.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const [INBOUND, OUTBOUND] = MANUAL_ROWS as [AssociationRow, AssociationRow];

function sessionWith(rows: readonly AssociationRow[] = MANUAL_ROWS): {
  session: TmshSession;
  ipsec: FakeIpsecStatistics;
} {
  const session = new TmshSession();
  const ipsec = new FakeIpsecStatistics(rows);
  session.ipsec = ipsec;
  return { session, ipsec };
}

const show = (rest = '', rows?: readonly AssociationRow[]): Promise<string> =>
  sessionWith(rows).session.run(`show net ipsec ipsec-sa ${rest}`);

describe('show net ipsec ipsec-sa', () => {
  it('has a line for each association', async () => {
    const lines = [
      'IPsec::SecurityAssociations',
      '10.100.20.3 -> 165.160.15.20 SPI(0x7b438626) in esp (tmm: 6)',
      '165.160.15.20 -> 10.100.20.3 SPI(0x5e52a1db) out esp (tmm: 5)',
      'Total records returned: 2',
    ];
    assert.equal(await show(), `${lines.join('\n')}\n`);
    assert.equal(await show('', []), 'IPsec::SecurityAssociations\nTotal records returned: 0\n');
  });

  it('all-properties has a block for each, and a word for its condition', async () => {
    const lines = [
      'IPsec::SecurityAssociations',
      '165.160.15.20 -> 10.100.20.3',
      '-'.repeat(77),
      '  tmm: 5',
      '  Direction: out;  SPI: 0x5e52a1db(1582473691);  ReqID: 0x9b0a(39690)',
      '  Protocol: esp;  Mode: tunnel;  State: mature',
      '  Authenticated Encryption : aes-gmac128',
      '  Current Usage: 307488 bytes',
      '  Hard lifetime: 94 seconds; unlimited bytes',
      '  Soft lifetime: 34 seconds; unlimited bytes',
      '  Replay window size: 64',
      '  Last use: 12/13/2012:10:42  Create: 12/13/2012:10:39',
      '  Packets: 1204;  Condition: up (green)',
      '  IPsec policy: /Common/codec;  Traffic selector: /Common/ts_codec',
      '  Keys: key exchange;  Sequence numbers: 32 bits',
      'Total records returned: 1',
    ];
    assert.equal(await show('all-properties', [OUTBOUND]), `${lines.join('\n')}\n`);
  });

  it('says of each state what its colour means, and why an association is dead', async () => {
    for (const [state, words] of [
      ['larval', 'negotiating (blue)'],
      ['dying', 'valid, but ends soon (yellow)'],
      ['dead', 'down (red)'],
    ] as const) {
      assert.ok((await show('all-properties', [{ ...OUTBOUND, state }])).includes(`Condition: ${words}`));
    }
    const neverUsed = { ...OUTBOUND };
    delete neverUsed.lastUseMs;
    const text = await show('all-properties', [
      {
        ...neverUsed,
        state: 'dead',
        reason: 'its sequence numbers are lost: give it new keys.',
        hardLifetime: { octets: 4096 },
        authAlgorithm: 'sha256',
        encryptAlgorithm: 'aes256',
        extendedSequence: true,
        udpPorts: [4500, 4501],
        manual: '/Common/branch-out',
      },
    ]);
    for (const line of [
      'Reason: its sequence numbers are lost: give it new keys.',
      'Hard lifetime: unlimited seconds; 4096 bytes',
      'Authentication Algorithm : sha256;  Encryption Algorithm : aes256',
      'Keys: /Common/branch-out;  Sequence numbers: 64 bits',
      'UDP encapsulation: 4500 -> 4501',
      'Last use: never  Create:',
    ]) {
      assert.ok(text.includes(`  ${line}`), line);
    }
  });

  it('finds by SPI, addresses, selector and policy, and by several at once', async () => {
    const other: AssociationRow = {
      ...OUTBOUND,
      spi: 300,
      selector: '/Common/web',
      policy: '/site/p',
      source: '10.9.9.9%7',
    };
    const rows = [INBOUND, OUTBOUND, other];
    for (const [filter, spis] of [
      ['spi 0x5e52a1db', [OUTBOUND.spi]],
      ['spi 300', [300]],
      ['src-addr 165.160.15.20', [OUTBOUND.spi]],
      ['src-addr 10.9.9.9%7', [300]],
      ['src-addr 10.9.9.9', []],
      ['dst-addr 10.100.20.3', [OUTBOUND.spi, 300]],
      ['dst-addr 10.2.1.1', [INBOUND.spi, OUTBOUND.spi, 300]],
      ['src-addr 10.1.0.0', []],
      ['traffic-selector ts_codec', [INBOUND.spi, OUTBOUND.spi]],
      ['ipsec-policy /site/p', [300]],
      ['traffic-selector ts_codec dst-addr 10.100.20.3', [OUTBOUND.spi]],
    ] as const) {
      const found = [...(await show(filter, rows)).matchAll(/SPI\((0x[0-9a-f]{8})\)/g)].map(([, spi]) => Number(spi));
      assert.deepEqual(found, spis, filter);
    }
    const { session } = sessionWith();
    assert.match((await session.refusal('show net ipsec ipsec-sa spi seven'))!, /spi must be a number, not "seven"/);
    assert.match((await session.refusal('show net ipsec ipsec-sa src-addr x'))!, /src-addr must be an IP address/);
    assert.match((await session.refusal('show net ipsec ipsec-sa bogus'))!, /takes: all-properties, dst-addr WORD/);
  });

  it('shows thousands, page by page, each page within a message', async () => {
    const rows = Array.from({ length: 1100 }, (_, index) => ({ ...OUTBOUND, spi: 1000 + index }));
    const text = await show('', rows);
    assert.equal(text.match(/SPI\(/g)!.length, 1100);
    assert.match(text, /Total records returned: 1100\n$/);
    const name = `/Common/${'n'.repeat(255)}`;
    const longest = { ...OUTBOUND, policy: name, selector: name, manual: name, reason: 'r'.repeat(200) };
    const { session } = sessionWith(Array.from({ length: 300 }, () => longest));
    const page = await session.associations({});
    assert.equal(page.next, '250');
    associationPageSchema.parse(page);
    assert.ok(JSON.stringify(page).length < 1 << 20);
  });
});

describe('delete net ipsec ipsec-sa', () => {
  it('ends those that fit, all without a filter', async () => {
    const { session, ipsec } = sessionWith();
    assert.equal(await session.run('delete net ipsec ipsec-sa spi 0x5e52a1db'), '');
    assert.deepEqual(ipsec.removed, [OUTBOUND]);
    await session.run('delete net ipsec ipsec-sa');
    assert.deepEqual(ipsec.rows, []);
    assert.match((await session.refusal('delete net ipsec ipsec-sa all-properties'))!, /unexpected argument/);
  });
});

describe('show net ipsec-stat', () => {
  it('has a row for each policy, in the columns of the manual', async () => {
    const lines = [
      '-'.repeat(63),
      'Net::Ipsec',
      'Cmd Id       Mode  Packets In  Bytes In  Packets Out  Bytes Out',
      '-'.repeat(63),
      '     0  TRANSPORT           0         0            0          0',
      '     1     TUNNEL      353.9K    252.4M        24.9K       1.8M',
    ];
    assert.equal(await sessionWith().session.run('show net ipsec-stat'), `${lines.join('\n')}\n`);
  });

  it('writes numbers as short as the manual', () => {
    const written = [0, 999, 1000, 999_949, 999_950, 1_050_000, 3.2e12, 9e18, 9e20].map(shortNumber);
    assert.deepEqual(written, ['0', '999', '1.0K', '999.9K', '1.0M', '1.1M', '3.2T', '9.0E', '900.0E']);
  });
});

describe('completion', () => {
  const offers = async (text: string): Promise<string[]> => {
    const session = new TmshSession();
    await session.run('create net ipsec traffic-selector branch', 'create net ipsec ipsec-policy guard');
    const { groups } = complete(text, { configuration: session.configuration, folder: '/Common' });
    return groups.flatMap((group) => group.offers.map((offer) => offer.text));
  };

  it('offers the pages, their filters and the objects that filters name', async () => {
    assert.ok((await offers('show net ipsec ')).includes('ipsec-sa'));
    assert.ok((await offers('show net ips')).includes('ipsec-stat'));
    const filters = ['dst-addr', 'ipsec-policy', 'spi', 'src-addr', 'traffic-selector'];
    assert.deepEqual((await offers('show net ipsec ipsec-sa ')).sort(), ['all-properties', ...filters]);
    assert.deepEqual((await offers('delete net ipsec ipsec-sa ')).sort(), filters);
    assert.ok((await offers('show net ipsec ipsec-sa traffic-selector ')).includes('branch'));
    assert.deepEqual(await offers('show net ipsec ipsec-sa ipsec-policy g'), ['guard']);
  });
});
