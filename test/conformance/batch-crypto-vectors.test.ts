// beside others
// Published test vectors of the ciphers of IPsec, by each library of the addon. Those of AES-GCM, AES-CBC and 3DES are opened,
// since their IVs are given; HMACs and AES-GMAC of AH are computed.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createHash } from 'node:crypto';
import { icvOctets, JobStatus, MAC_KEY_OCTETS, type MacName, type Transform } from '../../src/ipsec/crypto.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openCryptoBatch } from '../../src/net/batch-crypto.ts';
import { Arena } from '../../src/packet/arena.ts';
import { setJob, statusOf } from '../support/ipsec-crypto.ts';
import { fromHex, toHex } from '../support/octets.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const arenaHandle = addon.arenaCreate(1 << 20);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const NONE = new Uint8Array(0);
const AT = 4096;
const ICV_AT = 65_536;

/** draft-mcgrew-gcm-test-01, section 4: key, salt and IV, additional data, plaintext with its trailer, ciphertext, tag. */
const GCM_IN_ESP = [
  [
    '4c80cdefbb5d10da906ac73c3613a634',
    '2e443b684956ed7e3b244cfe',
    '000043218765432100000000',
    '45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f756470037369700963796265726369747902646b000021000101020201',
    'fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d768fd9732',
    '459018148f6cbe722fd04796562dfdb4',
  ],
  [
    'feffe9928665731c6d6a8f9467308308',
    'cafebabefacedbaddecaf888',
    '0000a5f80000000a',
    '4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d001000001000000000000037369700963796265726369747902646b00000100010001',
    'deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4ec3b9ba95d918bd1',
    '83b70d3aa8bc6ee4c309e9d85a41ad4a',
  ],
  [
    'abbccddef00112233445566778899aababbccddef00112233445566778899aab',
    '112233440102030405060708',
    '4a2cbfe300000002',
    '4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201',
    'ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e',
    'b335f4eecfdbf831824b4c4915956c96',
  ],
  [
    '00000000000000000000000000000000',
    '000000000000000000000000',
    '0000000000000001',
    '4500003c99c500008001cb7a40679318010101010800075c020044006162636465666768696a6b6c6d6e6f707172737475767761626364656667686901020201',
    '4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb64de7d9dca1e1d894bc3bd57873ed4d181d19d4d5c8c18af3',
    'f821d496eeb096e98ad2b69e4799c71d',
  ],
  [
    '3de09874b388e6491988d0c3607eae1f',
    '57690e434e280000a2fca1a3',
    '42f67e3f1010101010101010',
    '4500003c99c300008001cb7c40679318010101010800085c020043006162636465666768696a6b6c6d6e6f707172737475767761626364656667686901020201',
    'fba2caa4853cf9f0f22cb10d86dd83b0fec75691cf1a04b00d1138ec9c35791765acbd8701ad79845bf9fe3fba487bc91755e6662b4c8d0d1f5e22739530320a',
    'e0d731cc978ecafaeae88f00e80d6e48',
  ],
  [
    '3de09874b388e6491988d0c3607eae1f',
    '57690e434e280000a2fca1a3',
    '42f67e3f1010101010101010',
    '4500001c42a200008001441f406793b6e00000020a00f5ff01020201',
    'fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed',
    '369f071f35e034be95f112e4e7d05d35',
  ],
  [
    'feffe9928665731c6d6a8f9467308308feffe9928665731c',
    'cafebabefacedbaddecaf888',
    '0000a5f80000000a',
    '45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001',
    'a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77',
    '95457b9652037f5318027b5b4cd7a636',
  ],
  [
    'abbccddef00112233445566778899aab',
    'decaf888cafedebaceface74',
    '000001000000000000000001',
    '4500004933ba00007f119106c3fb1d10c2b1d326c02831ce0035dd7b800302d500004e20001e8c18d75b81dc91baa0476b91b924b280389d92c963bac046ec959b6266c04722b14923010101',
    '18a6fd42f72cbf4ab2a2ea901f73d814e3e7f243d95412e1c349c1d2fbec168f9190feebaf2cb01984e65863965d7472b79da345e0e780191f0d2f0e0f496c226f2127b27db35724e7845d68',
    '651f57e65f354f75ff17015769623436',
  ],
  [
    'abbccddef00112233445566778899aababbccddef00112233445566778899aab',
    '73616c74616e640169766563',
    '17405e67156f3126dd0db99b',
    '45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001',
    'f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e',
    '451626c2415771e3b7eebca614c89b35',
  ],
  [
    '3de09874b388e6491988d0c3607eae1f',
    '57690e434e280000a2fca1a3',
    '42f67e3f1010101010101010',
    '45000049333e00007f119182c3fb1d10c2b1d326c02831ce0035cb458003025b000001e0001e8c18d65759d52284a0352c71475c8880391c764d6e5ee0496b325ae270c03899493915010101',
    'fba2cad12fc1f9f00d3cebf305410db83d7784b607323d220f24b0a97d54182800cadb0f68d99ef0e0c0c89ae9bea8884e52d65bc1afd0740f742444747b5b39ab533163aad4550ee5160975',
    'cdb608c5769189609763b8e18caa81e2',
  ],
  [
    'abbccddef00112233445566778899aababbccddef00112233445566778899aab',
    '73616c74616e640169766563',
    '17405e67156f3126dd0db99b',
    '636973636f0172756c657301746865016e6574776501646566696e6501746865746563686e6f6c6f67696573017468617477696c6c01646566696e65746f6d6f72726f7701020201',
    'd4b7ed86a1777f2ea13d6973d324c69e7b43f826fb56831226508bebd2dceb18d0a6df10e5487df074113e14c641024e3e6773d91a62ee429b043a10e3efe6b012a49363412364f8',
    'c0cac587f249e56b11e24f30e44ccc76',
  ],
  [
    '7d773d00c144c525ac619d18c84a3f47',
    'd966426743457e9182443bc6',
    '335467aeffffffff',
    '01020201',
    '437f866b',
    'cb3f699fe9b0822bac961c4504bef270',
  ],
  [
    'abbccddef00112233445566778899aab',
    'decaf888cafedebaceface74',
    '000001000000000000000001',
    '746f016265016f72016e6f7401746f0162650001',
    '29c9fc69a197d038ccdd14e2ddfcaa0543332164',
    '412503524303ed3c6c5f283843af8c3e',
  ],
  [
    '6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961',
    '7475726e333021696765746d',
    '796b6963ffffffffffffffff',
    '45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201',
    'f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe821dcc63b9',
    'd0937ba2945f669368661a329fb4c053',
  ],
] as const;

/** RFC 3602, section 4, cases 5 to 8: key, ESP packet without ICV, payload, padding, next header. */
const CBC_IN_ESP = [
  [
    '90d382b410eeba7ad938c46cec1a82bf',
    '0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6',
    '08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
    14,
    1,
  ],
  [
    '90d382b410eeba7ad938c46cec1a82bf',
    '000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f75',
    '0800b5e8a80a0500a69c083d0b660e00777777777777777777777777',
    2,
    1,
  ],
  [
    '0123456789abcdef0123456789abcdef',
    '0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5a100b842f1c22f0d',
    '45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637',
    10,
    4,
  ],
  [
    '0123456789abcdef0123456789abcdef',
    '000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb50f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892',
    '45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
    10,
    4,
  ],
] as const;

/** Cipher, key, IV, plaintext, ciphertext: RFC 3602, section 4, case 1; the example of NIST for TDEA in CBC mode (SP 800-67). */
const CBC = [
  [
    'aes-cbc',
    '06a9214036b8a15b512e03d534120006',
    '3dafba429d9eb430b422da802c9fac41',
    toHex(new TextEncoder().encode('Single block msg')),
    'e353779c1079aeb82708942dbe77181a',
  ],
  [
    '3des-cbc',
    '0123456789abcdef23456789abcdef01456789abcdef0123',
    'f69f2445df4f9b17',
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51',
    '2079c3d53aa763e193b79e2569ab5262516570481f25b50f73c0bda85c8e0da7',
  ],
] as const;

/** Key, salt and IV, what is authenticated, tag: gcmEncryptExtIV128 and 256 of NIST's CAVP, PTlen 0, AADlen 128, Taglen 128. */
const GMAC = [
  [
    '77be63708971c4e240d1cb79e8d77feb',
    'e0e00f19fed7ba0136a797f3',
    '7a43ec1d9c0a5a78a0b16533a6213cab',
    '209fcc8d3675ed938e9c7166709dd946',
  ],
  [
    '7680c5d3ca6154758e510f4d25b98820',
    'f8f105f9c3df4965780321f8',
    'c94c410194c765e3dcc7964379758ed3',
    '94dca8edfcf90bb74b153c8d48a17930',
  ],
  [
    '78dc4e0aaf52d935c3c01eea57428f00ca1fd475f5da86a49c8dd73d68c8e223',
    'd79cf22d504cc793c3fb6c8a',
    'b96baa8c1c75a671bfb2d08d06be5f36',
    '3e5d486aa2e30b22e040b85723a06e76',
  ],
] as const;

const HASHES: Record<Exclude<MacName, 'none'>, string> = {
  'hmac-sha1-96': 'sha1',
  'hmac-sha256-128': 'sha256',
  'hmac-sha384-192': 'sha384',
  'hmac-sha512-256': 'sha512',
};
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const repeated = (octet: number, octets: number): Uint8Array => new Uint8Array(octets).fill(octet);
const counted = (octets: number): Uint8Array => Uint8Array.from({ length: octets }, (_, index) => index + 1);
const WANT = text('what do ya want for nothing?');
const LARGER = text('Test Using Larger Than Block-Size Key - Hash Key First');
const LARGER_DATA = text(
  'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
);

/** MAC, key, data, the digest up to the octets of the ICV. */
const HMAC: readonly (readonly [source: string, Exclude<MacName, 'none'>, Uint8Array, Uint8Array, string])[] = [
  ['RFC 2202, 3, 1', 'hmac-sha1-96', repeated(0x0b, 20), text('Hi There'), 'b617318655057264e28bc0b6'],
  ['RFC 2202, 3, 2', 'hmac-sha1-96', text('Jefe'), WANT, 'effcdf6ae5eb2fa2d27416d5'],
  ['RFC 2202, 3, 3', 'hmac-sha1-96', repeated(0xaa, 20), repeated(0xdd, 50), '125d7342b9ac11cd91a39af4'],
  ['RFC 2202, 3, 6', 'hmac-sha1-96', repeated(0xaa, 80), LARGER, 'aa4ae5e15272d00e95705637'],
  ['RFC 4231, 4.2', 'hmac-sha256-128', repeated(0x0b, 20), text('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b'],
  [
    'RFC 4231, 4.2',
    'hmac-sha384-192',
    repeated(0x0b, 20),
    text('Hi There'),
    'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec6',
  ],
  [
    'RFC 4231, 4.2',
    'hmac-sha512-256',
    repeated(0x0b, 20),
    text('Hi There'),
    '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde',
  ],
  ['RFC 4231, 4.3', 'hmac-sha256-128', text('Jefe'), WANT, '5bdcc146bf60754e6a042426089575c7'],
  ['RFC 4231, 4.3', 'hmac-sha384-192', text('Jefe'), WANT, 'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47'],
  [
    'RFC 4231, 4.3',
    'hmac-sha512-256',
    text('Jefe'),
    WANT,
    '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554',
  ],
  ['RFC 4231, 4.5', 'hmac-sha256-128', counted(25), repeated(0xcd, 50), '82558a389a443c0ea4cc819899f2083a'],
  [
    'RFC 4231, 4.5',
    'hmac-sha384-192',
    counted(25),
    repeated(0xcd, 50),
    '3e8a69b7783c25851933ab6290af6ca77a9981480850009c',
  ],
  [
    'RFC 4231, 4.5',
    'hmac-sha512-256',
    counted(25),
    repeated(0xcd, 50),
    'b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3db',
  ],
  ['RFC 4231, 4.7', 'hmac-sha256-128', repeated(0xaa, 131), LARGER, '60e431591ee0b67f0d8a26aacbf5b77f'],
  ['RFC 4231, 4.7', 'hmac-sha384-192', repeated(0xaa, 131), LARGER, '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f'],
  [
    'RFC 4231, 4.7',
    'hmac-sha512-256',
    repeated(0xaa, 131),
    LARGER,
    '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352',
  ],
  ['RFC 4231, 4.8', 'hmac-sha256-128', repeated(0xaa, 131), LARGER_DATA, '9b09ffa71b942fcb27635fbcd5b0e944'],
  ['RFC 4868, 2.7.2.1', 'hmac-sha256-128', repeated(0x0b, 32), text('Hi There'), '198a607eb44bfbc69903a0f1cf2bbdc5'],
  ['RFC 4868, 2.7.2.1', 'hmac-sha256-128', text('Jefe'.repeat(8)), WANT, '167f928588c5cc2eef8e3093caa0e87c'],
  ['RFC 4868, 2.7.2.1', 'hmac-sha256-128', repeated(0xaa, 32), repeated(0xdd, 50), 'cdcb1220d1ecccea91e53aba3092f962'],
  ['RFC 4868, 2.7.2.1', 'hmac-sha256-128', counted(32), repeated(0xcd, 50), '372efcf9b40b35c2115b1346903d2ef4'],
  [
    'RFC 4868, 2.7.2.2',
    'hmac-sha384-192',
    repeated(0x0b, 48),
    text('Hi There'),
    'b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee973',
  ],
  [
    'RFC 4868, 2.7.2.2',
    'hmac-sha384-192',
    text('Jefe'.repeat(12)),
    WANT,
    '2c7353974f1842fd66d53c452ca42122b28c0b594cfb184d',
  ],
  [
    'RFC 4868, 2.7.2.3',
    'hmac-sha512-256',
    repeated(0x0b, 64),
    text('Hi There'),
    '637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8',
  ],
  [
    'RFC 4868, 2.7.2.3',
    'hmac-sha512-256',
    text('Jefe'.repeat(16)),
    WANT,
    'cb370917ae8a7ce28cfd1d8f4705d6141c173b2a9362c15df235dfb251b15454',
  ],
];

/** HMAC takes a longer key by its hash, and any with zeros behind (RFC 2104, section 2): so each becomes one of the right length. */
function hmacKey(mac: Exclude<MacName, 'none'>, key: Uint8Array): Uint8Array {
  const octets = MAC_KEY_OCTETS[mac];
  const short = key.length > octets ? createHash(HASHES[mac]).update(key).digest() : key;
  return Buffer.concat([short, new Uint8Array(octets - short.length)]);
}

const view = new DataView(arena.buffer);
const wordAt = (hex: string, index: number): number => new DataView(fromHex(hex).buffer).getUint32(4 * index);

for (const backend of ['openssl', 'ipsec-mb'] as const) {
  const batch = openCryptoBatch(addon, arenaHandle, { backend });

  /** Opens a packet; gives what is between IV and ICV. */
  const open = (
    transform: Transform,
    key: Uint8Array,
    packet: Uint8Array,
    textAt: number,
    high?: number,
  ): [status: number, text: string] => {
    const handle = batch.openKey(transform, key, NONE);
    arena.bytes.set(packet, AT);
    const extended = high === undefined ? 0 : 1;
    setJob(batch.jobs, 0, { key: handle, source: AT, octets: packet.length, sequenceHigh: high ?? 0, extended });
    batch.open(1);
    batch.closeKey(handle);
    const plain = arena.bytes.subarray(AT + textAt, AT + packet.length - icvOctets(transform));
    return [statusOf(batch.jobs, 0), toHex(plain)];
  };

  describe(`published vectors by ${backend}`, () => {
    it('of AES-GCM in ESP, with and without extended sequence numbers (draft-mcgrew-gcm-test-01)', () => {
      for (const [key, nonce, additional, plain, encrypted, tag] of GCM_IN_ESP) {
        const isExtended = additional.length === 24;
        const header = isExtended ? additional.slice(0, 8) + additional.slice(16) : additional;
        const packet = fromHex(header + nonce.slice(8) + encrypted + tag);
        const high = isExtended ? wordAt(additional, 1) : undefined;
        const transform = { cipher: 'aes-gcm', mac: 'none' } as const;
        const opened = open(transform, fromHex(key + nonce.slice(0, 8)), packet, 16, high);
        assert.deepEqual(opened, [JobStatus.ok, plain]);
      }
    });

    it('of AES-GMAC in ESP (the vector of RFC 4543 in Linux, crypto/testmgr.h)', () => {
      const plain =
        '45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f707172737401020201';
      const key = fromHex('4c80cdefbb5d10da906ac73c3613a63422433c64');
      const packet = fromHex(`0000432100000007${'00'.repeat(8)}${plain}f2a9a836e155106aa8dcd618e4099aaa`);
      assert.deepEqual(open({ cipher: 'aes-gmac', mac: 'none' }, key, packet, 16), [JobStatus.ok, plain]);
    });

    it('of AES-CBC in ESP (RFC 3602), and of 3DES (NIST)', () => {
      for (const [key, packet, payload, padOctets, nextHeader] of CBC_IN_ESP) {
        const plain = payload + toHex([...counted(padOctets), padOctets, nextHeader]);
        assert.deepEqual(open({ cipher: 'aes-cbc', mac: 'none' }, fromHex(key), fromHex(packet), 24), [
          JobStatus.ok,
          plain,
        ]);
      }
      for (const [cipher, key, iv, plain, encrypted] of CBC) {
        const packet = fromHex(`0000010000000001${iv}${encrypted}`);
        assert.deepEqual(open({ cipher, mac: 'none' }, fromHex(key), packet, 8 + iv.length / 2), [JobStatus.ok, plain]);
      }
    });

    it('of HMAC, cut as IPsec cuts it (RFC 2202, 4231 and 4868)', () => {
      for (const [source, mac, key, data, icv] of HMAC) {
        const handle = batch.openKey({ cipher: 'null', mac }, NONE, hmacKey(mac, key));
        arena.bytes.set(data, AT);
        setJob(batch.jobs, 0, { key: handle, source: AT, octets: data.length, target: ICV_AT });
        batch.digest(1);
        batch.closeKey(handle);
        const octets = icvOctets({ cipher: 'null', mac });
        assert.deepEqual(
          [statusOf(batch.jobs, 0), toHex(arena.bytes.subarray(ICV_AT, ICV_AT + octets))],
          [JobStatus.ok, icv],
          `${source}, ${mac}`,
        );
      }
    });

    it('of AES-GMAC by itself (NIST CAVP)', () => {
      for (const [key, nonce, covered, tag] of GMAC) {
        const handle = batch.openKey({ cipher: 'aes-gmac', mac: 'none' }, fromHex(key + nonce.slice(0, 8)), NONE);
        arena.bytes.set(fromHex(covered), AT);
        const words = { key: handle, source: AT, octets: covered.length / 2, target: ICV_AT };
        setJob(batch.jobs, 0, { ...words, sequenceHigh: wordAt(nonce, 1), sequenceLow: wordAt(nonce, 2) });
        batch.digest(1);
        assert.equal(toHex(arena.bytes.subarray(ICV_AT, ICV_AT + 24)), nonce.slice(8) + tag);
        view.setUint32(AT, view.getUint32(AT) ^ 1);
        batch.verify(1);
        assert.equal(statusOf(batch.jobs, 0), JobStatus.icvInvalid);
        batch.closeKey(handle);
      }
    });
  });
}
