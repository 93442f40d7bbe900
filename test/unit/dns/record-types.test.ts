import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MasterFileWords } from '../../../src/dns/master-file-words.ts';
import { nameOf } from '../../../src/dns/name.ts';
import {
  eachName,
  hasNames,
  isMetaType,
  isWellFormed,
  lowerRdata,
  printRdata,
  readRdata,
  recordType,
  targetOf,
  typeName,
  typeOf,
} from '../../../src/dns/record-types.ts';
import { RdataBuffer } from '../../../src/dns/words.ts';

function rdata(mnemonic: string, text: string): Uint8Array {
  const into = new RdataBuffer();
  readRdata(typeOf(mnemonic)!, new MasterFileWords(Buffer.from(text)), into, nameOf('example.'));
  return into.octets.slice(0, into.end);
}

const hex = (mnemonic: string, text: string) => Buffer.from(rdata(mnemonic, text)).toString('hex');

/** [type, text, RDATA in hexadecimal, printed text where it differs]. */
const VECTORS: readonly (readonly [string, string, string, string?])[] = [
  ['A', '192.0.2.1', 'c0000201'],
  ['AAAA', '2001:db8::1', '20010db8000000000000000000000001'],
  ['NS', 'ns', '026e73076578616d706c6500', 'ns.example.'],
  ['SOA', 'a. b. 1 1h 2 3 1d', '01610001620000000001 00000e10 00000002 00000003 00015180', 'a. b. 1 3600 2 3 86400'],
  ['MX', '10 .', '000a00'],
  ['TXT', 'a "b c" \\255', '01610362206301ff', '"a" "b c" "\\255"'],
  ['HINFO', 'PC "A \\"B\\""', '0250430541202242 22', '"PC" "A \\"B\\""'],
  ['SRV', '1 2 443 a.', '0001000201bb016100'],
  [
    'NAPTR',
    '100 10 u E2U+sip "!^.*$!sip:a@b!" .',
    '0064000a01750745325 52b736970 0e215e2e2a24217369703a6140622100',
    '100 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .',
  ],
  ['RP', 'a. b.', '016100016200'],
  ['AFSDB', '1 a.', '0001016100'],
  ['DNAME', 'a.', '016100'],
  [
    'DS',
    '60485 RSASHA1 SHA-1 2BB183AF5F22588179A53B0A98631FAD1A292118',
    'ec4505012bb183af5f22588179a53b0a98631fad1a292118',
    '60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118',
  ],
  ['SSHFP', '2 9 0123', '02090123'],
  ['TLSA', '3 1 1 ab cd', '030101abcd', '3 1 1 ABCD'],
  ['CAA', '0 issue "ca.example; x=1"', '0005697373756563612e6578616d706c653b20783d31'],
  ['URI', '10 1 "ftp://a/"', '000a00016674703a2f2f612f'],
  ['DNSKEY', '256 3 RSASHA256 AQID', '01000308010203', '256 3 8 AQID'],
  [
    'RRSIG',
    'A 8 3 1h 20300101000000 20200101000000 1 a. AQ==',
    '00010803 00000e10 70dbd880 5e0be100 0001 016100 01',
    'A 8 3 3600 20300101000000 20200101000000 1 a. AQ==',
  ],
  [
    'NSEC',
    'a. A MX RRSIG NSEC TYPE1234',
    '0161000006400100000003041b000000000000000000000000000000000000000000000000000020',
    'a. A MX RRSIG NSEC TYPE1234',
  ],
  ['TYPE4711', '\\# 3 AB CDEF', 'abcdef', '\\# 3 ABCDEF'],
  ['TYPE4711', '\\# 0', ''],
  ['A', '\\# 4 C0000201', 'c0000201', '192.0.2.1'],
  // RFC 9460, appendix D.
  ['HTTPS', '0 foo.example.com.', '000003666f6f076578616d706c6503636f6d00'],
  ['SVCB', '1 .', '000100'],
  ['SVCB', '16 foo.example.com. port=53', '001003666f6f076578616d706c6503636f6d00000300020035'],
  [
    'SVCB',
    '1 foo.example.com. key667=hello',
    '000103666f6f076578616d706c6503636f6d00029b000568656c6c6f',
    '1 foo.example.com. key667="hello"',
  ],
  [
    'SVCB',
    '1 foo.example.com. key667="hello\\210qoo"',
    '000103666f6f076578616d706c6503636f6d00029b000968656c6c6fd2716f6f',
  ],
  [
    'SVCB',
    '1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"',
    '000103666f6f076578616d706c6503636f6d0000060020' +
      '20010db8000000000000000000000001' +
      '20010db8000000000000000000530001',
    '1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1',
  ],
  [
    'SVCB',
    '16 foo.example.org. alpn="h2,h3-19" mandatory=ipv4hint,alpn ipv4hint=192.0.2.1',
    '001003666f6f076578616d706c65036f7267000000000400010004000100090268320568332d313900040004c0000201',
    '16 foo.example.org. mandatory=alpn,ipv4hint alpn="h2,h3-19" ipv4hint=192.0.2.1',
  ],
  [
    'SVCB',
    '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
    '001003666f6f076578616d706c65036f72670000010 00c08665c6f6f2c626172026832',
  ],
  [
    'SVCB',
    '16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2',
    '001003666f6f076578616d706c65036f72670000010 00c08665c6f6f2c626172026832',
    '16 foo.example.org. alpn="f\\\\\\\\oo\\\\,bar,h2"',
  ],
  [
    'HTTPS',
    '1 . no-default-alpn alpn=h2 ech=AQID dohpath=/q{?dns}',
    '000100 00010003026832 00020000 00050003010203 00070008 2f717b3f646e737d',
    '1 . alpn="h2" no-default-alpn ech=AQID key7="/q{?dns}"',
  ],
];

describe('RDATA', () => {
  for (const [mnemonic, text, octets, print = text] of VECTORS) {
    it(`${mnemonic} ${text}`, () => {
      const wanted = octets.replaceAll(' ', '');
      assert.equal(hex(mnemonic, text), wanted);
      const read = rdata(mnemonic, text);
      assert.equal(printRdata(typeOf(mnemonic)!, read), print);
      assert.ok(isWellFormed(typeOf(mnemonic)!, read, 0, read.length));
      assert.equal(hex(mnemonic, print), wanted);
    });
  }

  it('that is cut short or has more behind it is not well-formed', () => {
    for (const [mnemonic, text] of VECTORS) {
      const type = typeOf(mnemonic)!;
      const fields = recordType(type)?.fields;
      const read = rdata(mnemonic, text);
      if (fields === undefined) continue;
      assert.ok(!isWellFormed(type, read, 0, 0), mnemonic);
      // What takes all that is left cannot tell.
      if (['A', 'AAAA', 'NS', 'SOA', 'MX', 'HINFO', 'SRV', 'NAPTR', 'RP', 'AFSDB', 'DNAME'].includes(mnemonic)) {
        assert.ok(!isWellFormed(type, read, 0, read.length - 1), mnemonic);
        assert.ok(!isWellFormed(type, Uint8Array.from([...read, 0]), 0, read.length + 1), mnemonic);
      }
    }
  });

  it('has errors that name what is wrong', () => {
    const errors: readonly (readonly [string, string, RegExp])[] = [
      ['A', '', /the address is missing/],
      ['A', '192.0.2', /not an IPv4 address: "192.0.2"/],
      ['A', '192.0.2.1 x', /text behind the record: "x"/],
      ['AAAA', '::1::', /not an IPv6 address/],
      ['MX', '65536 a.', /the preference must not be greater than 65535/],
      ['MX', 'a.', /the preference must be a number: "a."/],
      ['MX', '1 "a."', /a name must not stand in quotes/],
      ['NS', 'a..b', /a label of the name is empty/],
      ['TXT', 'x'.repeat(256), /longer than 255 octets/],
      ['TXT', '\\999', /bad escape/],
      ['SOA', 'a. b. 1 1x 2 3 4', /not a time in seconds: "1x"/],
      ['CAA', '0 is-sue x', /not a tag/],
      ['URI', '1 1 x', /the target must stand in quotes/],
      ['TLSA', '1 1 1 abc', /the data \(hexadecimal\) is malformed/],
      ['DNSKEY', '1 3 8 A', /the key \(base 64\) is malformed/],
      ['DS', '1 8 2 00', /a digest of this type has 32 octets, not 1/],
      ['SSHFP', '1 1 00', /a fingerprint of this type has 20 octets, not 1/],
      ['NSEC', 'a. FOO', /unknown type "FOO"/],
      ['RRSIG', 'FOO 8 3 1 2 3 4 a. AQ==', /unknown type "FOO"/],
      ['RRSIG', 'A 8 3 1 20301301000000 3 4 a. AQ==', /a time must not be greater/],
      ['AXFR', 'x', /AXFR is no data of a zone/],
      ['TYPE4711', 'x', /must be written as \\# LENGTH OCTETS/],
      ['TYPE4711', '\\# 2 00', /1 octets where 2 are announced/],
      ['TYPE4711', '\\# 0 00', /text behind the record/],
      ['TYPE4711', '\\# 1 0x', /malformed/],
      ['A', '\\# 3 000000', /octets are no RDATA of A/],
      ['NAPTR', '1 1 "" "" "!a!" .', /pattern and a replacement/],
      ['NAPTR', '1 1 "" "" "1a1b1" .', /cannot be the delimiter/],
      ['NAPTR', '1 1 "" "" "!a!b!x" .', /unknown flags/],
      ['NAPTR', '1 1 "" "" "!a!\\\\1!" .', /names a group that is not there/],
      ['SVCB', '1 . foo=1', /unknown parameter "foo"/],
      ['SVCB', '1 . port=1 port=1', /"port" stands twice/],
      ['SVCB', '1 . mandatory=port', /"port" is mandatory and is missing/],
      ['SVCB', '1 . no-default-alpn', /without "alpn"/],
      ['SVCB', '1 . port=x', /bad value of the parameter "port"/],
      ['SVCB', '1 . key667=\\300', /bad escape/],
    ];
    for (const [mnemonic, text, message] of errors)
      assert.throws(() => rdata(mnemonic, text), message, `${mnemonic} ${text}`);
  });

  it('of parameters on the wire is checked', () => {
    const bad = [
      '0001 00 0003000200',
      '0001 00 00030001ff',
      '0001 00 000300020001 000300020001',
      '0001 00 000300020001 000100030268ff',
      '0001 00 00000000',
    ];
    for (const octets of bad) {
      const read = Buffer.from(octets.replaceAll(' ', ''), 'hex');
      assert.ok(!isWellFormed(64, read, 0, read.length), octets);
    }
  });

  it('of bit maps on the wire is checked', () => {
    for (const octets of ['00 00', '00 0000', '00 000100', '00 002100', '00 000140 000140', '00 0002 40']) {
      const read = Buffer.from(octets.replaceAll(' ', ''), 'hex');
      assert.ok(!isWellFormed(47, read, 0, read.length) || octets === '00 00', octets);
    }
  });

  it('has names where the table says so', () => {
    const read = rdata('SOA', 'NS.A. Admin.B. 1 2 3 4 5');
    const found: number[] = [];
    eachName(6, read, 0, read.length, (at) => found.push(at));
    assert.deepEqual(found, [0, 6]);
    lowerRdata(6, read, 0, read.length);
    assert.equal(printRdata(6, read), 'ns.a. admin.b. 1 2 3 4 5');
    assert.ok(hasNames(6) && !hasNames(16) && !hasNames(4711));
    assert.deepEqual(targetOf(33, rdata('SRV', '1 2 3 a.b.')), nameOf('a.b.'));
    assert.deepEqual(targetOf(15, rdata('MX', '1 a.b.')), nameOf('a.b.'));
    assert.deepEqual(targetOf(2, rdata('NS', 'a.b.')), nameOf('a.b.'));
  });
});

describe('types', () => {
  it('have mnemonics and numbers', () => {
    assert.equal(typeOf('https'), 65);
    assert.equal(typeOf('TYPE65'), 65);
    assert.equal(typeOf('type4711'), 4711);
    assert.equal(typeOf('TYPE65536'), undefined);
    assert.equal(typeOf('TYPE'), undefined);
    assert.equal(typeName(65), 'HTTPS');
    assert.equal(typeName(4711), 'TYPE4711');
  });

  it('may be compressed if they are those of RFC 1035, and only then', () => {
    const compressible = ['NS', 'CNAME', 'SOA', 'PTR', 'MX', 'MB', 'MG', 'MR', 'MINFO'];
    for (let type = 0; type < 300; type++) {
      assert.equal(recordType(type)?.compressible ?? false, compressible.includes(typeName(type)), typeName(type));
    }
  });

  it('are data or not', () => {
    for (const mnemonic of ['OPT', 'TSIG', 'AXFR', 'IXFR', 'ANY', 'TYPE0', 'TYPE130'])
      assert.ok(isMetaType(typeOf(mnemonic)!));
    for (const mnemonic of ['A', 'URI', 'TYPE4711', 'TYPE99']) assert.ok(!isMetaType(typeOf(mnemonic)!));
    assert.ok(!isWellFormed(41, new Uint8Array(0), 0, 0));
    assert.ok(isWellFormed(4711, new Uint8Array(3), 0, 3));
  });
});
