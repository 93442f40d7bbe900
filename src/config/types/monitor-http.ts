// `gtm monitor http|https`, `ltm monitor http|https`: what a web server answers, in clear or over TLS.

import { integerOrWord, string, toggle } from '../kinds.ts';
import { file, password } from '../monitor-kinds.ts';
import type { AnyConfigObject } from '../object-type.ts';
import type { ObjectContext } from '../remembered.ts';
import { GTM_EXCHANGE, IP_DSCP, LTM_EXCHANGE, send } from './monitor-exchange.ts';
import { ADAPTIVE, MANUAL_RESUME, PROBE_TIMEOUT, monitorType, refuseValue } from './monitor-type.ts';

const HELP = 'Sends an HTTP request, and looks at the answer.';
const TLS_HELP = 'Sends an HTTP request over TLS, and looks at the answer.';

const LOGIN = {
  password: password({ help: 'The password that goes with username.' }),
  username: string({ help: 'Who asks, by basic authentication (RFC 7617); none: nobody.' }),
};

/** Newer versions of BIG-IP DNS have it. */
const STATUS_CODE = {
  'recv-status-code': string({ help: 'Status codes of answers that count, as in 200.', inert: true }),
};

const CERTIFICATES = 'PEM file';

const TLS = {
  'ca-file': file({
    help: `The ${CERTIFICATES} of the authorities that verify-certificate trusts; none: those of the system.`,
    extension: true,
  }),
  cert: file({ help: `The ${CERTIFICATES} with the certificate that is shown to the target, and those above it.` }),
  compatibility: toggle({ default: true, help: 'Whether OpenSSL works around faults of targets.', inert: true }),
  key: file({ help: `The ${CERTIFICATES} with the key of cert.` }),
  'verify-certificate': toggle({
    default: false,
    help: 'Whether a target is down whose certificate is not in order: its time, its issuer, and sni-server-name where that is set.',
    extension: true,
  }),
};

const SERVER_NAME = 'The name that the handshake asks for (SNI, RFC 6066); none: none.';
const cipherList = (value: string) => ({
  cipherlist: string({ default: value, help: 'The ciphers, in the words of OpenSSL.' }),
});

/** `/Common/name`: files of a device have such names, and lie elsewhere. */
const FILE_OBJECT = /^\/Common\/[^/]+$/;
const FILES = ['ca-file', 'cert', 'key'] as const;

function checkTls(monitor: AnyConfigObject, context: ObjectContext): void {
  const { properties, name } = monitor;
  for (const [one, other] of [
    ['cert', 'key'],
    ['key', 'cert'],
  ] as const) {
    if (properties[one] === undefined || properties[other] !== undefined) continue;
    refuseValue(monitor, context, one, `${one} needs ${other}`, `Add ${other} and the path of a PEM file.`);
  }
  for (const property of FILES) {
    const value = properties[property];
    if (typeof value !== 'string' || !FILE_OBJECT.test(value)) continue;
    const hint = 'Write the path of a PEM file of this machine.';
    const text = `Monitor (${name}): ${property} ${value} looks like a file object of a BIG-IP, which this machine does not have.`;
    context.warn(monitor, text, { property, value, hint });
  }
}

const GTM_SEND = 'GET /';
const LTM_SEND = 'GET /\\r\\n';
const HEAD = { recv: 'Server\\:', send: 'HEAD / HTTP/1.0\\r\\n\\r\\n' };

const example = (path: string) => `
${path} shop {
    interval 10
    recv "HTTP/1\\\\.[01] 200"
    send "GET /health HTTP/1.1\\\\r\\\\nHost: shop.example.com\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n"
    timeout 31
}
`;

const tlsExample = (path: string) => `
${path} shop {
    destination *:443
    interval 10
    recv "HTTP/1\\\\.[01] 200"
    send "GET /health HTTP/1.1\\\\r\\\\nHost: shop.example.com\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n"
    sni-server-name shop.example.com
    timeout 31
    verify-certificate enabled
}
`;

export const gtmMonitorHttp = monitorType(
  {
    module: 'gtm',
    type: 'http',
    builtIn: { http: {}, http_head_f5: HEAD },
    help: HELP,
    example: example('gtm monitor http'),
  },
  { ...PROBE_TIMEOUT, ...GTM_EXCHANGE, ...LOGIN, ...STATUS_CODE, ...send(GTM_SEND) },
);

export const gtmMonitorHttps = monitorType(
  {
    module: 'gtm',
    type: 'https',
    builtIn: { https: {}, https_head_f5: HEAD },
    help: TLS_HELP,
    example: tlsExample('gtm monitor https'),
    check: checkTls,
  },
  {
    ...PROBE_TIMEOUT,
    ...GTM_EXCHANGE,
    ...LOGIN,
    ...STATUS_CODE,
    ...TLS,
    ...cipherList('DEFAULT:!EXPORT'),
    ...send(GTM_SEND),
    'sni-server-name': string({ help: SERVER_NAME }),
  },
);

export const ltmMonitorHttp = monitorType(
  {
    module: 'ltm',
    type: 'http',
    builtIn: { http: {}, http_head_f5: HEAD },
    help: HELP,
    example: example('ltm monitor http'),
  },
  {
    ...ADAPTIVE,
    ...IP_DSCP,
    ...MANUAL_RESUME,
    ...LTM_EXCHANGE,
    ...LOGIN,
    ...send(LTM_SEND),
    'ip-tos': integerOrWord(
      { min: 0, max: 255, words: ['preserve'] },
      { default: 0, help: 'The TOS of packets that are sent.', inert: true },
    ),
  },
);

export const ltmMonitorHttps = monitorType(
  {
    module: 'ltm',
    type: 'https',
    builtIn: { https: {}, https_443: { destination: '*:443' }, https_head_f5: HEAD },
    help: TLS_HELP,
    example: tlsExample('ltm monitor https'),
    check: checkTls,
  },
  {
    ...ADAPTIVE,
    ...IP_DSCP,
    ...MANUAL_RESUME,
    ...LTM_EXCHANGE,
    ...LOGIN,
    ...TLS,
    ...cipherList('DEFAULT:+SHA:+3DES:+kEDH'),
    ...send(LTM_SEND),
    'sni-server-name': string({ help: SERVER_NAME, extension: true }),
    'ssl-profile': string({ help: 'The server-ssl profile.', inert: true }),
  },
);
