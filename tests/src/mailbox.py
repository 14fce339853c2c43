"""An SMTP server for tests. Prints its port, then each mail that it takes as a line of JSON."""

import argparse
import asyncio
import email
import email.policy
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
arguments.add_argument("--fail", type=int, default=0, help="mails to put off before the first is taken")
arguments.add_argument("--refuse", action="store_true", help="refuse every mail for good")
arguments.add_argument("--certificate", help="PEM: ask for STARTTLS and for a password")
arguments.add_argument("--key")
arguments.add_argument("--password")
options = arguments.parse_args()


def say(line):
    print(line, flush=True)


class Handler:
    def __init__(self):
        self.left_to_fail = options.fail

    async def handle_DATA(self, server, session, envelope):
        if options.refuse:
            return "550 not here"
        if self.left_to_fail > 0:
            self.left_to_fail -= 1
            return "451 come again"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        say(json.dumps({
            "to": envelope.rcpt_tos,
            "from": mail["From"],
            "subject": mail["Subject"],
            "automatic": mail["Auto-Submitted"],
            "text": mail.get_content(),
            "tls": session.ssl is not None,
            "user": session.auth_data.decode() if session.auth_data else None,
        }))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = data.password == options.password.encode()
    return AuthResult(success=right, auth_data=data.login if right else None)


handler = Handler()


def protocol():
    if not options.certificate:
        return SMTP(handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate, options.key)
    return SMTP(handler, require_starttls=True, tls_context=context, auth_required=True, authenticator=authenticate)


async def main():
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    say(str(server.sockets[0].getsockname()[1]))
    await server.serve_forever()


asyncio.run(main())
