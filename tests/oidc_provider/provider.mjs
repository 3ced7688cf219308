// A certified OpenID provider (npm oidc-provider) for the browser tests, with its own pages for development: any name signs
// in with any password, and the email address is that name. Names that begin with "unverified" have an unverified address.
// The client may ask for refresh tokens, each of which is used once (RFC 9700 section 2.2.2), and may revoke them.
//
//   node provider.mjs PATH_OF_NODE_MODULES REDIRECT_URI
//
// Listens on a free port of 127.0.0.1 and prints "ready ISSUER".
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, redirectUri] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'dify',
      client_secret: 'the secret of the tests',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
    }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['a key of the tests'] },
    features: { revocation: { enabled: true } },
    rotateRefreshToken: true,
    // Seconds; so short that a test need not end its browser session to let one expire.
    ttl: { AccessToken: 90 },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: id, email_verified: !id.startsWith('unverified'), name: id }),
    }),
  });
  server.on('request', provider.callback());
  console.log(`ready ${issuer}`);
});
