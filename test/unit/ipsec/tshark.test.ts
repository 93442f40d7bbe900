// time-out: 600 s
// tshark, given the keys, verifies and decrypts what the sealer makes.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { FORWARD } from '../../../src/core/drop-reason.ts';
import { MAC_KEY_OCTETS, type Transform } from '../../../src/ipsec/crypto.ts';
import { IpsecProtocol, type SecurityAssociationSpec } from '../../../src/ipsec/security-association.ts';
import { LinkType, pcapngInterface, pcapngPacket, pcapngSectionHeader } from '../../../src/wire/pcapng.ts';
import { ipv4Packet, ipv6Packet, octets, onesComplement } from '../../support/frames.ts';
import { ESP_TRANSFORMS, IpsecRig, keyOf, macKeyOf, specOf } from '../../support/ipsec-rig.ts';
import { tsharkComplaints, tsharkFields } from '../../support/tshark.ts';

const rig = new IpsecRig();

function capture(packets: readonly Buffer[]): Uint8Array {
  const blocks = packets.map((packet, index) =>
    pcapngPacket({
      interfaceId: 0,
      timeNs: 1_800_000_000_000_000_000n + BigInt(index),
      octets: packet,
      originalOctets: packet.length,
      direction: 1,
      comment: '',
    }),
  );
  const wire = pcapngInterface({ name: 'wan', description: 'outside', linkType: LinkType.raw, snaplen: 0 });
  return Buffer.concat([pcapngSectionHeader('wideplane'), wire, ...blocks]);
}

const CIPHERS: Readonly<Record<string, string>> = {
  'aes-gcm': 'AES-GCM with 16 octet ICV [RFC4106]',
  'aes-cbc': 'AES-CBC [RFC3602]',
  '3des-cbc': 'TripleDES-CBC [RFC2451]',
  null: 'NULL',
};
const MACS: Readonly<Record<string, string>> = {
  none: 'NULL',
  'hmac-sha1-96': 'HMAC-SHA-1-96 [RFC2404]',
  'hmac-sha256-128': 'HMAC-SHA-256-128 [RFC4868]',
  'hmac-sha384-192': 'HMAC-SHA-384-192 [RFC4868]',
  'hmac-sha512-256': 'HMAC-SHA-512-256 [RFC4868]',
};
const hex = (key: Uint8Array): string => (key.length === 0 ? '' : `0x${Buffer.from(key).toString('hex')}`);

/** What tshark has to know of an SA, for both versions outside. */
function records(transform: Transform, keyOctets: number, spi: string): string[] {
  const key = hex(keyOf(keyOctets));
  const macKey = hex(macKeyOf(MAC_KEY_OCTETS[transform.mac]));
  const { cipher, mac } = transform;
  return ['IPv4', 'IPv6'].map((version) => {
    const fields = [version, '*', '*', spi, CIPHERS[cipher]!, key, MACS[mac]!, macKey, '32-bit'];
    return `uat:esp_sa:${fields.map((field) => `"${field}"`).join(',')}`;
  });
}

const DECRYPT = ['esp.enable_encryption_decode:TRUE', 'esp.enable_authentication_check:TRUE'];

const echo = (size: number): Buffer => {
  const message = Buffer.concat([octets('0800 0000 004d 0001'), Buffer.alloc(size, 0x61)]);
  message.writeUInt16BE(onesComplement(message), 2);
  return message;
};
const SIZES = [0, 1, 2, 3, 56, 1200];
const inner = SIZES.map((size) => ipv4Packet({ source: '10.1.1.1', destination: '10.2.2.2', protocol: 1 }, echo(size)));

function sealAll(spec: SecurityAssociationSpec, keyOctets: number, packets: readonly Buffer[]): Buffer[] {
  const sealed = rig.seal(rig.outbound(spec, keyOctets), ...packets);
  assert.ok(sealed.every(({ verdict }) => verdict === FORWARD));
  return sealed.map(({ octets: wire }) => wire);
}

const FORMS = [
  { family: 4, isTunnel: true },
  { family: 4, isTunnel: false },
  { family: 6, isTunnel: true },
] as const;
/** Each form of each transform has an SPI of its own, so that one capture holds all of them. */
const spiOf = (row: number, form: number): string => `0x${(0x1000 + 16 * row + form).toString(16).padStart(8, '0')}`;
const ROWS = ESP_TRANSFORMS.filter(
  ({ cipher, mac }) => cipher !== 'aes-gmac' && !(cipher === 'aes-cbc' && mac === 'none'),
).map(({ keyOctets, ...transform }, row) => ({ keyOctets, transform, row }));

describe('what is sealed is read by tshark', () => {
  let read: string[][] = [];
  before(() => {
    const keys = [...DECRYPT];
    const wires: Buffer[] = [];
    for (const { keyOctets, transform, row } of ROWS) {
      for (const [index, form] of FORMS.entries()) {
        const spi = spiOf(row, index);
        keys.push(...records(transform, keyOctets, spi));
        wires.push(...sealAll(specOf({ ...form, transform, spi: Number(spi) }), keyOctets, inner));
      }
    }
    const fields = ['esp.spi', 'esp.sequence', 'esp.protocol', 'icmp.ident', 'icmp.checksum.status', 'data.len'];
    const file = capture(wires);
    assert.deepEqual(tsharkComplaints(file, keys), []);
    read = tsharkFields(file, [...fields, 'esp.icv_good'], keys);
  });

  for (const { keyOctets, transform, row } of ROWS) {
    it(`ESP ${transform.cipher} ${keyOctets * 8}, ${transform.mac}`, () => {
      const expected = FORMS.flatMap(({ isTunnel }, form) =>
        SIZES.map((size, index) => {
          const body = size === 0 ? '' : String(size);
          return [spiOf(row, form), String(index + 1), isTunnel ? '0x04' : '0x01', '77', '1', body, '1'];
        }),
      );
      const packets = FORMS.length * SIZES.length;
      assert.deepEqual(read.slice(row * packets, (row + 1) * packets), expected);
    });
  }

  it('ESP in UDP', () => {
    const transform = { cipher: 'aes-gcm', mac: 'none' } as const;
    const spec = specOf({ udpSourcePort: 4500, udpDestinationPort: 4500 });
    for (const family of [4, 6] as const) {
      const file = capture(
        sealAll(
          specOf({ ...spec, family, source: specOf({ family }).source, destination: specOf({ family }).destination }),
          20,
          inner,
        ),
      );
      const keys = [...DECRYPT, ...records(transform, 20, '*')];
      assert.deepEqual(tsharkComplaints(file, keys), []);
      const read = tsharkFields(file, ['udp.dstport', 'esp.protocol', 'icmp.ident'], keys);
      assert.deepEqual(
        read,
        SIZES.map(() => ['4500', '0x04', '77']),
      );
    }
  });

  it('AH, over both versions, and IPComp in it', () => {
    const transform = { cipher: 'null', mac: 'hmac-sha256-128' } as const;
    const common = { protocol: IpsecProtocol.ah, transform } as const;
    const wires = [
      ...sealAll(specOf(common), 0, [inner[4]!]),
      ...sealAll(specOf({ ...common, isTunnel: false, ahAlign8: true }), 0, [inner[4]!]),
      ...sealAll(specOf({ ...common, family: 6 }), 0, [
        ipv6Packet({ source: '2001:db8::3', destination: '2001:db8::4', nextHeader: 59 }, Buffer.alloc(0)),
      ]),
      ...sealAll(specOf({ ...common, compression: 2 }), 0, [inner[5]!]),
    ];
    const file = capture(wires);
    assert.deepEqual(tsharkComplaints(file), []);
    assert.deepEqual(
      tsharkFields(file, ['ah.length', 'ah.next_header', 'ah.spi', 'ipcomp.cpi', 'ipcomp.next_header']),
      [
        ['5', '4', '0x00001002', '', ''],
        ['6', '1', '0x00001002', '', ''],
        ['6', '41', '0x00001002', '', ''],
        ['5', '108', '0x00001002', '0x0002', '0x04'],
      ],
    );
  });
});
