// Objects of IPsec: what is accepted, what is refused and in which words, and that no message shows a key.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildModel } from '../../../src/assembly/dataplaned/build-model.ts';
import { viewOf } from '../../../src/assembly/dataplaned/config-view.ts';
import { AUTH_ALGORITHMS, ENCRYPT_ALGORITHMS, pairOf } from '../../../src/config/ipsec-algorithms.ts';
import { keysOf } from '../../../src/config/ipsec-keys.ts';
import type { IpsecKeys } from '../../../src/config/ipsec-keys.ts';
import { emptyConfiguration } from '../../../src/config/configuration.ts';
import { loadText } from '../../../src/config/load-text.ts';
import { printConfiguration } from '../../../src/config/print.ts';
import {
  type ManualSecurityAssociation,
  MAX_ASSOCIATIONS,
} from '../../../src/config/types/net-ipsec-manual-security-association.ts';
import { ConfigErrors } from '../../../src/config/transaction.ts';
import { TmshSession } from '../../support/tmsh-session.ts';

const POLICY = `
net ipsec ipsec-policy out { mode tunnel tunnel-local-address 192.0.2.1 tunnel-remote-address 198.51.100.1 }
`;
const ENDS = 'source-address 192.0.2.1 destination-address 198.51.100.1';
const GCM = 'auth-algorithm aes-gcm128 encrypt-algorithm aes-gcm128';
const KEY20 = 'SENTINEL-0123456789a';
const association = (more: string, name = 'a', ends = ENDS): string =>
  `net ipsec manual-security-association ${name} { ${ends} ipsec-policy out ${more} }\n`;

const load = (text: string) => loadText(text, emptyConfiguration(), { file: 'test' });
const warnings = (text: string): string[] => load(text).warnings.map((warning) => warning.text);

/** The messages of a text that is refused. */
function errors(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigErrors) return error.errors.map((each) => `${each.message} ${each.details.hint ?? ''}`);
    throw error;
  }
  return [];
}

/** Asserts that the text is refused in such words, and that nothing shows a key. */
function refused(text: string, words: RegExp): void {
  const messages = errors(text).join('\n');
  assert.match(messages, words);
  assert.doesNotMatch(messages, /SENTINEL|abcd/i);
}

const keys = (more: string): IpsecKeys => {
  const { views } = load(POLICY + association(`spi 300 ${more}`)).configuration;
  const object = views.get('net ipsec manual-security-association /Common/a') as ManualSecurityAssociation;
  const found = keysOf(object.properties);
  assert.ok(!('problem' in found), JSON.stringify(found));
  return found;
};

describe('an IPsec policy', () => {
  it('has the defaults of a BIG-IP, and its three built-in ones', async () => {
    const session = new TmshSession();
    const listing = await session.run('list net ipsec ipsec-policy all-properties');
    assert.match(listing, /net ipsec ipsec-policy default-ipsec-policy \{[^}]*mode transport/);
    assert.match(listing, /net ipsec ipsec-policy default-ipsec-policy-interface \{[^}]*mode interface/);
    assert.match(listing, /net ipsec ipsec-policy default-ipsec-policy-isession \{[^}]*mode isession/);
    for (const line of [
      'ike-phase2-auth-algorithm aes-gcm128',
      'ike-phase2-encrypt-algorithm aes-gcm128',
      'ike-phase2-lifetime 1440',
      'ike-phase2-lifetime-kilobytes 0',
      'ike-phase2-perfect-forward-secrecy none',
      'ipcomp none',
      'protocol esp',
      'tunnel-local-address any6',
    ]) {
      assert.ok(listing.includes(`    ${line}\n`), line);
    }
    assert.match((await session.refusal('delete net ipsec ipsec-policy default-ipsec-policy'))!, /01070325/);
  });

  it('of mode tunnel names both gateways, of one version and domain', () => {
    const policy = (more: string): string => `net ipsec ipsec-policy p { mode tunnel ${more} }\n`;
    const local = 'tunnel-local-address 192.0.2.1';
    refused(policy(''), /mode tunnel needs an address as tunnel-local-address, not any6/);
    refused(policy(`${local} tunnel-remote-address any`), /needs an address as tunnel-remote-address, not any/);
    refused(policy(`${local} tunnel-remote-address 2001:db8::1`), /another IP version/);
    refused(policy(`${local} tunnel-remote-address 198.51.100.1%7`), /another route domain/);
    refused(policy(`${local} tunnel-remote-address 192.0.2.1`), /is the tunnel-local-address/);
    refused(policy(`${local} tunnel-remote-address 224.0.0.9`), /is a group/);
  });

  it('of mode interface is neither AH nor compressed; isession is kept with a word', () => {
    refused('net ipsec ipsec-policy p { mode interface protocol ah }', /mode interface does not go with protocol ah/);
    refused('net ipsec ipsec-policy p { mode interface ipcomp deflate }', /does not go with ipcomp deflate/);
    assert.match(warnings('net ipsec ipsec-policy p { mode isession }')[0]!, /isession is kept, but has no effect/);
  });

  it('refuses algorithms that do not go together', () => {
    const policy = (auth: string, encrypt: string): string =>
      `net ipsec ipsec-policy p { ike-phase2-auth-algorithm ${auth} ike-phase2-encrypt-algorithm ${encrypt} }`;
    refused(policy('aes-gcm128', 'aes-gcm256'), /aes-gcm128 authenticates what aes-gcm128 encrypts, not aes-gcm256/);
    refused(policy('sha256', 'aes-gcm256'), /aes-gcm256 authenticates by itself, not with sha256/);
    assert.deepEqual(errors(policy('sha256', 'aes256')), []);
  });

  it('in use stays', async () => {
    const session = new TmshSession();
    await session.run(`create ${POLICY.trim()}`, 'create net ipsec traffic-selector s ipsec-policy out');
    const text = 'cannot be deleted because it is in use by a Traffic selector (/Common/s)';
    assert.ok((await session.refusal('delete net ipsec ipsec-policy out'))!.includes(text));
  });
});

describe('a pair of algorithms', () => {
  it('means a transform or says which property is wrong, for every pair', () => {
    let good = 0;
    for (const protocol of ['esp', 'ah'] as const) {
      for (const auth of AUTH_ALGORITHMS) {
        for (const encrypt of ENCRYPT_ALGORITHMS) {
          const pair = pairOf(protocol, auth, encrypt);
          if ('problem' in pair) continue;
          good++;
          assert.equal(pair.mac === 'none', pair.macKeyOctets === 0);
          assert.equal(pair.cipher === 'null', pair.keyOctets === 0);
        }
      }
    }
    // ESP: 4 MACs with 5 ciphers, 3 GCM, 3 GMAC written in two ways. AH: 4 MACs, 3 GMAC in two ways.
    assert.equal(good, 20 + 3 + 6 + 4 + 6);
  });
});

describe('a manual security association', () => {
  it('has keys as text or in hexadecimal, exactly as long as its algorithms want them', () => {
    assert.deepEqual(Buffer.from(keys(`${GCM} encrypt-key "${KEY20}"`).key).toString(), KEY20);
    const { algorithms, key, macKey } = keys(
      `auth-algorithm sha256 auth-key 0x${'AB'.repeat(32)} encrypt-algorithm aes256 encrypt-key 0x${'cd'.repeat(32)}`,
    );
    assert.deepEqual([algorithms.cipher, algorithms.mac], ['aes-cbc', 'hmac-sha256-128']);
    assert.deepEqual(
      [Buffer.from(key).toString('hex'), Buffer.from(macKey).toString('hex')],
      ['cd'.repeat(32), 'ab'.repeat(32)],
    );
    for (const [auth, encrypt, authOctets, encryptOctets] of [
      ['sha1', '3des', 20, 24],
      ['sha1', 'null', 20, 0],
      ['sha384', 'aes128', 48, 16],
      ['sha512', 'aes192', 64, 24],
      ['aes-gcm192', 'aes-gcm192', 0, 28],
      ['aes-gcm256', 'aes-gcm256', 0, 36],
      ['aes-gmac128', 'aes-gmac128', 0, 20],
      ['aes-gmac256', 'null', 36, 0],
    ] as const) {
      const text = (name: string, octets: number): string => (octets === 0 ? '' : `${name} 0x${'5a'.repeat(octets)}`);
      const both = (first: number, second: number): string =>
        `spi 300 auth-algorithm ${auth} encrypt-algorithm ${encrypt} ${text('auth-key', first)} ${text('encrypt-key', second)}`;
      assert.deepEqual(errors(POLICY + association(both(authOctets, encryptOctets))), [], `${auth} ${encrypt}`);
      const other = authOctets === 0 ? both(0, encryptOctets - 1) : both(authOctets - 1, encryptOctets);
      refused(
        POLICY + association(other),
        /needs a key of \d+ octets(, of which the last 4 are the salt)?, not of \d+/,
      );
      refused(POLICY + association(both(0, 0)), /needs a key of/);
    }
  });

  it('refuses keys that are none, and shows none of them', () => {
    const wrong = (words: string, expected: RegExp): void =>
      refused(POLICY + association(`spi 300 ${words}`), expected);
    wrong(`${GCM} encrypt-key "SENTINEL"`, /encrypt-key: aes-gcm128 needs a key of 20 octets, of which .*, not of 8/);
    wrong(`${GCM} encrypt-key 0xabcdabcda`, /encrypt-key has an odd number of hexadecimal digits/);
    wrong(`${GCM} encrypt-key 0xabcdSENTINEL`, /encrypt-key has other characters than hexadecimal digits behind 0x/);
    wrong(`${GCM} encrypt-key "SENTINEL${'x'.repeat(121)}"`, /encrypt-key is longer than 128 characters/);
    wrong(`${GCM} encrypt-key ""`, /encrypt-key is empty/);
    wrong(
      `${GCM} auth-key "SENTINEL-xxxxxxxxxxx" encrypt-key "${KEY20}"`,
      /has one key, but encrypt-key is another one/,
    );
    wrong(`encrypt-algorithm null encrypt-key "SENTINEL" auth-key "${KEY20}"`, /encrypt-key: null has no key/);
    wrong(`${GCM} encrypt-key $M$Xy$SENTINEL==`, /encrypt-key was masked by another device/);
    wrong(`${GCM} encrypt-key $M$00000000$SENTINEL`, /was masked with master key 00000000, but .* holds [0-9a-f]{8}/);
  });

  it('refuses words behind a key, which would be kept as a property that nobody knows', () => {
    const text = POLICY + association(`spi 300 ${GCM} encrypt-key SENTINEL SENTINEL two`);
    assert.throws(
      () => load(text),
      ({ message }: Error) => {
        assert.match(message, /encrypt-key takes one word, but there is more behind it/);
        return !message.includes('SENTINEL');
      },
    );
  });

  it('prints its keys masked, and reads them back', () => {
    const text = POLICY + association(`spi 300 ${GCM} encrypt-key "${KEY20}"`);
    const { configuration } = load(text);
    const printed = printConfiguration(configuration, '1');
    assert.match(printed, /encrypt-key \$M\$[0-9a-f]{8}\$[A-Za-z0-9_-]+\n/);
    assert.doesNotMatch(printed, /SENTINEL/);
    const again = load(printed).configuration;
    assert.deepEqual([...again.views], [...configuration.views]);
    assert.equal(printConfiguration(load(text).configuration, '1'), printed, 'the same key is the same text');
  });

  it('has an SPI that is free, and ends that are those of its policy', () => {
    const good = `${GCM} encrypt-key "${KEY20}"`;
    refused(POLICY + association(`spi 255 ${good}`), /spi must be an integer from 256 to 4294967295/);
    refused(POLICY + association(`spi 4294967296 ${good}`), /spi must be an integer/);
    assert.deepEqual(errors(POLICY + association(`spi 4294967295 ${good}`)), []);
    const two = association(`spi 300 ${good}`) + association(`spi 300 ${good}`, 'b');
    refused(POLICY + two, /spi 300 to 198\.51\.100\.1 belongs to Manual security association \(\/Common\/a\)/);
    const back = 'source-address 198.51.100.1 destination-address 192.0.2.1/32';
    assert.deepEqual(errors(POLICY + association(`spi 300 ${good}`) + association(`spi 300 ${good}`, 'b', back)), []);
    const elsewhere = 'source-address 192.0.2.1 destination-address 198.51.100.9';
    refused(POLICY + association(`spi 300 ${good}`, 'a', elsewhere), /are not those of IPsec policy \(\/Common\/out\)/);
    const net = 'source-address 192.0.2.1 destination-address 198.51.100.0/24';
    refused(POLICY + association(`spi 300 ${good}`, 'a', net), /destination-address must be the address of one host/);
    refused(
      POLICY + association(`spi 300 protocol ah encrypt-algorithm null auth-key "${KEY20}"`),
      /protocol ah is not that of/,
    );
    refused(POLICY + association(`spi 300 ${GCM} protocol esp`), /needs a key of 20 octets/);
  });

  it('refuses extensions that cannot work', () => {
    const good = `spi 300 ${GCM} encrypt-key "${KEY20}"`;
    const extended = 'extended-sequence-numbers enabled';
    refused(POLICY + association(`${good} ${extended}`), /needs a replay-window-size above 0/);
    assert.deepEqual(errors(POLICY + association(`${good} ${extended} replay-window-size 4096`)), []);
    refused(POLICY + association(`${good} replay-window-size 4097`), /integer from 0 to 4096/);
    refused(POLICY + association(`${good} udp-encapsulation 70000`), /udp-encapsulation must be none, a UDP port/);
    const { views } = load(POLICY + association(`${good} udp-encapsulation 4500`)).configuration;
    const { properties } = views.get('net ipsec manual-security-association /Common/a')!;
    assert.equal(properties['udp-encapsulation'], '4500:4500');
    const ah = POLICY.replace('mode', 'protocol ah mode');
    const words = `spi 300 protocol ah encrypt-algorithm null auth-key "${KEY20}" udp-encapsulation 4500`;
    refused(ah + association(words), /udp-encapsulation does not go with protocol ah/);
  });

  it('for one direction only is worth a word where the selector is of both', () => {
    const one = association(`spi 300 ${GCM} encrypt-key "${KEY20}"`);
    const back = 'source-address 198.51.100.1 destination-address 192.0.2.1';
    const selector = (direction: string): string =>
      `net ipsec traffic-selector s { source-address 10.1.0.0/16 destination-address 10.2.0.0/16 ipsec-policy out direction ${direction} }\n`;
    assert.match(warnings(POLICY + one + selector('both'))[0]!, /has keys only from 192\.0\.2\.1 to 198\.51\.100\.1/);
    assert.deepEqual(warnings(POLICY + one + selector('out')), []);
    const other = one + association(`spi 301 ${GCM} encrypt-key "other-0123456789abcd"`, 'b', back);
    assert.deepEqual(warnings(POLICY + other + selector('both')), []);
  });

  it('with the key of another one is worth a word where a nonce must not come twice, however the key is written', () => {
    const back = 'source-address 198.51.100.1 destination-address 192.0.2.1';
    const hex = `0x${Buffer.from(KEY20).toString('hex')}`;
    const two = (words: string): string[] =>
      warnings(
        POLICY + association(`spi 300 ${GCM} encrypt-key "${KEY20}"`) + association(`spi 301 ${words}`, 'b', back),
      );
    for (const words of [`${GCM} encrypt-key "${KEY20}"`, `${GCM} auth-key ${hex}`]) {
      const [text, ...more] = two(words);
      assert.match(text!, /\(\/Common\/b\): .*-key is also that of Manual security association \(\/Common\/a\)/);
      assert.doesNotMatch(text!, /SENTINEL|53454e/i);
      assert.deepEqual(more, []);
    }
    // Another salt makes other nonces, and CBC chooses its IVs at random.
    assert.deepEqual(two(`${GCM} encrypt-key "${KEY20.slice(0, -1)}b"`), []);
    const cbc = `auth-algorithm sha1 encrypt-algorithm aes128 auth-key "${KEY20}" encrypt-key "${KEY20.slice(0, 16)}"`;
    assert.deepEqual(warnings(POLICY + association(`spi 300 ${cbc}`) + association(`spi 301 ${cbc}`, 'b', back)), []);
  });

  it('is refused where there are more than there may be', () => {
    const text = Array.from({ length: MAX_ASSOCIATIONS + 1 }, (_, index) =>
      association(`spi ${1000 + index} encrypt-algorithm null auth-key "${KEY20}"`, `a${index}`),
    ).join('');
    refused(POLICY + text, /there may be 16384 of them, not 16385\. Delete some/);
  });
});

describe('a tunnel over an adapter that leaves its packets to the kernel', () => {
  const underlay = (adapter: string): string => `
net interface 1.1 { device e0 adapter ${adapter} }
net vlan wan { interfaces { 1.1 { untagged } } tag 4094 }
net self s { address 192.0.2.1/24 vlan wan }
net ipsec ipsec-policy p { mode transport }
`;
  const tunnel = (profile: string, remote = '198.51.100.1'): string =>
    `net tunnels tunnel t { local-address 192.0.2.1 remote-address ${remote} profile ${profile} }\n`;
  const selector = (more: string, name = 's'): string =>
    `net ipsec traffic-selector ${name} { source-address 192.0.2.1/32 ipsec-policy p ${more} }\n`;
  const one = 'destination-address 198.51.100.1/32';

  it('is refused where a traffic selector is for all that it sends', () => {
    const words =
      /Tunnel \(\/Common\/t\): Traffic selector \(\/Common\/s\) is for its packets, but they leave in the clear, because adapter/;
    for (const [adapter, profile, more] of [
      ['udp', 'vxlan', 'order 1'],
      ['udp', 'vxlan', 'order 1 ip-protocol udp destination-port 4789 direction out'],
      ['raw-ip', 'etherip', 'order 1 ip-protocol 97'],
      ['raw-ip', 'gre', 'order 1 action discard'],
    ] as const) {
      refused(underlay(adapter) + tunnel(profile) + selector(`${one} ${more}`), words);
    }
    refused(
      underlay('udp') + tunnel('vxlan') + selector(one),
      /adapter udp of Interface \(1\.1\).* Choose adapter packet-ring/,
    );
  });

  it('is taken where none is, or one says first that they are not protected', () => {
    for (const text of [
      underlay('packet-ring') + tunnel('vxlan') + selector(`${one} order 1`),
      underlay('udp') + tunnel('vxlan') + selector(`${one} order 1 direction in`),
      underlay('udp') + tunnel('vxlan') + selector(`${one} order 1 ip-protocol tcp`),
      underlay('udp') + tunnel('vxlan') + selector(`${one} order 1 ip-protocol udp destination-port 53`),
      underlay('udp') + tunnel('vxlan') + selector('destination-address 198.51.100.2/32 order 1'),
      underlay('udp') +
        tunnel('vxlan-multipoint', 'any') +
        selector('destination-address 198.51.100.0/24 order 1 source-port 9'),
      underlay('udp') +
        tunnel('vxlan') +
        selector(`${one} order 2`) +
        selector(`${one} order 1 action bypass`, 'first'),
    ]) {
      assert.deepEqual(errors(text), []);
      assert.deepEqual(warnings(text), []);
    }
  });

  it('is worth a word, now and in the state of the configuration, where the selector is for some of its ends', () => {
    const text = underlay('udp') + tunnel('vxlan-multipoint', 'any') + selector(`${one} order 1`);
    assert.deepEqual(errors(text), []);
    assert.match(
      warnings(text)[0]!,
      /Traffic selector \(\/Common\/s\) is for some of its packets, but they leave in the clear/,
    );
    const { failures } = buildModel(viewOf(load(text).configuration.views.values()), new Map());
    const [failure] = failures.filter(({ object }) => object === 'net tunnels tunnel /Common/t');
    assert.match(failure!.reason, /is for some of its packets/);
    refused(
      underlay('udp') + tunnel('vxlan-multipoint', 'any') + selector('destination-address 0.0.0.0/0 order 1'),
      /is for its packets/,
    );
  });
});

describe('a traffic selector', () => {
  const selector = (name: string, more: string): string => `net ipsec traffic-selector ${name} { ${more} }\n`;
  const ends = 'source-address 10.1.0.0/16 destination-address 10.2.0.0/16';

  it('goes behind all others when it names no order', async () => {
    const session = new TmshSession();
    await session.run(
      `create net ipsec traffic-selector a ${ends}`,
      `create net ipsec traffic-selector b ${ends} order 7`,
      `create net ipsec traffic-selector c ${ends} ip-protocol etherip`,
    );
    assert.match(await session.run('list net ipsec traffic-selector a'), /order 1\n/);
    const last = await session.run('list net ipsec traffic-selector c');
    assert.match(last, /order 8\n/);
    assert.match(last, /ip-protocol 97\n/);
  });

  it('takes addresses as networks, of one version and domain', () => {
    const { views } = load(selector('s', 'source-address 10.1.1.1 destination-address 10.2.0.0/16')).configuration;
    assert.equal(views.get('net ipsec traffic-selector /Common/s')!.properties['source-address'], '10.1.1.1/32');
    refused(selector('s', 'source-address 10.1.0.0/16'), /has another IP version/);
    refused(selector('s', ends.replace('10.2.0.0/16', '10.2.0.0%4/16')), /has another route domain/);
    refused(
      selector('s', ends.replace('10.2.0.0/16', '10.2.0.1/16')),
      /has bits behind its length. Write 10\.2\.0\.0\/16/,
    );
  });

  it('is warned of where another of its order takes the same packets', () => {
    const pair = (a: string, b: string): string[] =>
      warnings(selector('a', `order 5 ${a}`) + selector('b', `order 5 ${b}`));
    const narrow = 'source-address 10.1.1.0/24 destination-address 10.2.0.0/24';
    assert.match(pair(ends, narrow)[0]!, /\/Common\/b.*order 5 is also that of Traffic selector \(\/Common\/a\)/);
    assert.equal(pair(`${ends} direction in`, `${narrow} direction out`).length, 0);
    assert.equal(pair(`${ends} direction out`, `${narrow} direction both`).length, 1);
    const swapped = 'source-address 10.2.0.0/24 destination-address 10.1.1.0/24';
    assert.equal(pair(`${ends} direction both`, `${swapped} direction in`).length, 1);
    assert.equal(pair(`${ends} ip-protocol tcp`, `${narrow} ip-protocol udp`).length, 0);
    assert.equal(pair(`${ends} ip-protocol tcp destination-port 80`, `${narrow} destination-port 443`).length, 0);
    assert.equal(pair(ends, 'source-address 10.9.0.0/16 destination-address 10.2.0.0/16').length, 0);
    assert.equal(warnings(selector('a', `order 5 ${ends}`) + selector('b', `order 6 ${narrow}`)).length, 0);
    const tunnels = ['a', 'b'].map((name) => selector(name, 'order 5 ipsec-policy default-ipsec-policy-interface'));
    assert.deepEqual(warnings(tunnels.join('')), []);
  });
});

describe('a tunnel with an IPsec profile', () => {
  const OBJECTS = `
net vlan wan { tag 100 }
net self wan { address 192.0.2.1/24 vlan wan }
net ipsec ipsec-policy p { mode interface tunnel-local-address 192.0.2.1 tunnel-remote-address 198.51.100.1 }
net ipsec traffic-selector s { ipsec-policy p }
net tunnels ipsec i { traffic-selector s }
`;
  const tunnel = (more: string): string => `${OBJECTS}net tunnels tunnel t { local-address 192.0.2.1 ${more} }\n`;

  it('has the ends of its policy, or any where that names none', () => {
    assert.deepEqual(errors(tunnel('profile i remote-address 198.51.100.1')), []);
    assert.deepEqual(errors(tunnel('profile ipsec remote-address 198.51.100.7')), []);
    refused(
      tunnel('profile i remote-address 198.51.100.7'),
      /remote-address 198\.51\.100\.7 is not the tunnel-remote-address/,
    );
    refused(tunnel('profile ipsec remote-address any'), /has one other end, not any/);
    refused(tunnel('profile ipsec remote-address 198.51.100.1 key 7'), /key 7: IPsec has none/);
    const transport = tunnel('profile i remote-address 198.51.100.1').replace('ipsec-policy p }', '}');
    refused(transport, /leads to IPsec policy \(\/Common\/default-ipsec-policy\) of mode transport/);
  });

  it('carries packets: it is no member of a VLAN group, and no two share ends and selector', () => {
    const text = tunnel('profile i remote-address 198.51.100.1');
    refused(`${text}net vlan-group g { members { t } }\n`, /carries IP packets, not frames/);
    const twin = 'net tunnels tunnel u { local-address 192.0.2.1 remote-address 198.51.100.1 profile i }\n';
    refused(text + twin, /already has .*traffic-selector \/Common\/s/);
  });
});

describe('the IKE daemon', () => {
  it('is one, with the ports of a BIG-IP, and takes no other beside it', async () => {
    const session = new TmshSession();
    const listing = await session.run('list net ipsec ike-daemon ikedaemon all-properties');
    for (const line of ['isakmp-port 500', 'isakmp-natt-port 4500', 'log-level info', 'natt-keep-alive 0']) {
      assert.ok(listing.includes(`    ${line}\n`), line);
    }
    await session.run('modify net ipsec ike-daemon ikedaemon log-level debug2 log-publisher ipsec');
    assert.match((await session.refusal('create net ipsec ike-daemon other'))!, /there is one only, ikedaemon/);
    assert.match((await session.refusal('delete net ipsec ike-daemon ikedaemon'))!, /01070325/);
  });
});
