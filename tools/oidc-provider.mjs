// The certified OpenID provider `oidc-provider` with one client and two people,
// for tests: `node oidc-provider.mjs CLIENT_ID CLIENT_SECRET [PORT [SERVICES [MORE]]]`.
// Listens on loopback only, on a port that the kernel picks unless one is given,
// and prints `issuer URL ready`.
//
// SERVICES is a JSON list of further clients, in the words of RFC 7591; what
// they leave open is that of a service that acts in its own name. Whoever asks
// for a token for a `resource` (RFC 8707) gets a signed one where that address
// ends in `/signed`, one for this provider's introspection otherwise.
//
// MORE is a JSON object: `client` is how the client is registered beyond its name
// and addresses, `features` and `discovery` are laid over the settings, `jwks` are
// the keys that it signs with, and with `dpopNonce` every proof of possession has to
// hold a nonce of this provider's.
import { createServer } from 'node:http';
import { interactionPolicy, Provider } from 'oidc-provider';

const [clientId, clientSecret, port = '0', services = '[]', further = '{}'] = process.argv.slice(2);
const more = JSON.parse(further);

const people = {
  alice: { password: 'alice-password', name: 'Alice Liddell', email: 'alice@example.com', groups: ['admins'] },
  bob: { password: 'bob-password', name: 'Bob Baker', email: 'bob@example.com', groups: ['users'] },
};

// A native client would be asked at each sign-in; ours is native for its ports only.
const policy = interactionPolicy.base();
policy.get('consent').checks.remove('native_client_prompt');

const server = createServer();
await new Promise((listening) => server.listen(Number(port), '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId,
    // A native client's loopback addresses match on any port (RFC 8252, section 7.3).
    application_type: 'native',
    redirect_uris: ['http://localhost/oauth2/callback', 'http://127.0.0.1/oauth2/callback'],
    post_logout_redirect_uris: ['http://localhost/oauth2/signed_out', 'http://127.0.0.1/oauth2/signed_out'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...more.client ?? { client_secret: clientSecret, token_endpoint_auth_method: 'client_secret_basic' },
  }, ...JSON.parse(services).map((service) => ({
    grant_types: ['client_credentials'], response_types: [], redirect_uris: [], ...service,
  }))],
  cookies: { keys: ['for tests only'] },
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username', 'groups'],
    email: ['email', 'email_verified'],
  },
  clientAuthMethods: ['client_secret_basic', 'client_secret_jwt', 'client_secret_post', 'private_key_jwt', 'self_signed_tls_client_auth', 'none'],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  scopes: ['openid', 'offline_access', 'orders'],
  ttl: { AccessToken: 300, AuthorizationCode: 60, ClientCredentials: 300, Grant: 3600, IdToken: 300, Interaction: 600, RefreshToken: 3600, Session: 3600 },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    jwtIntrospection: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, ...more.dpopNonce && { nonceSecret: Buffer.alloc(32, 'for tests only'), requireNonce: () => true } },
    // Whoever ends TLS in front says which certificate the client showed.
    mTLS: { enabled: true, certificateBoundAccessTokens: true, selfSignedTlsClientAuth: true, getCertificate: (ctx) => ctx.get('x-client-certificate') || undefined },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => ({
        audience: resource, scope: 'orders', accessTokenFormat: resource.endsWith('/signed') ? 'jwt' : 'opaque',
      }),
    },
    // Whoever signs out at the application is asked here once more.
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx, xsrfForm) => {
        ctx.body = page(xsrfForm.replace('</form>', '<input type="hidden" name="logout" value="yes"><button>Sign out</button></form>'));
      },
    },
    ...more.features,
  },
  discovery: more.discovery,
  jwks: more.jwks,
  interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => people[id] && {
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: id,
      name: people[id].name,
      email: people[id].email,
      email_verified: true,
      groups: people[id].groups,
    }),
  },
  // Nobody is asked for consent: signing in is all that the tests are about.
  async loadExistingGrant(ctx) {
    const { client, session, params } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
});

const page = (body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in</title><body>${body}</body></html>`;

const form = (failed) => page(`${failed ? '<p role="alert">Wrong name or password.</p>' : ''}
<form method="post">
  <label>Name <input name="login" type="text" autofocus></label>
  <label>Password <input name="password" type="password"></label>
  <button type="submit">Sign in</button>
</form>`);

async function readForm(req) {
  let body = '';
  for await (const chunk of req) {
    body += chunk;
    if (body.length > 10_000) throw new Error('form too large');
  }
  return new URLSearchParams(body);
}

async function interaction(req, res) {
  // Throws when the address belongs to no interaction of this browser.
  await provider.interactionDetails(req, res);
  let failed = false;
  if (req.method === 'POST') {
    const fields = await readForm(req);
    const login = fields.get('login');
    const person = Object.hasOwn(people, login) ? people[login] : undefined;
    if (person && person.password === fields.get('password')) {
      await provider.interactionFinished(req, res, { login: { accountId: login } });
      return;
    }
    failed = true;
  }
  res.writeHead(failed ? 401 : 200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(form(failed));
}

const standard = provider.callback();
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/')) {
    standard(req, res);
    return;
  }
  interaction(req, res).catch((error) => {
    res.writeHead(400, { 'content-type': 'text/plain' });
    res.end(`${error.message}\n`);
  });
});

provider.on('server_error', (ctx, error) => console.error('server error:', error));
for (const event of ['authorization.error', 'grant.error', 'userinfo.error', 'end_session.error', 'introspection.error', 'revocation.error', 'pushed_authorization_request.error']) {
  provider.on(event, (ctx, error) => console.error(`${event}: ${error.message} ${error.error_description ?? ''}`));
}
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));

console.log(`issuer ${issuer} ready`);
