"""What the fuzzer may not do: void its own token, since all that follows would be refused."""

import os

import schemathesis

OWN_ID = os.environ["SUPERUSER_ID"]
NOBODY = "00000000-0000-0000-0000-000000000000"


@schemathesis.hook.apply_to(operation_id="change_user")
def before_call(_context, case, _kwargs):
    """A new password voids all tokens of the user. The change goes to a user who isn't there."""
    changes_password = isinstance(case.body, dict) and "password" in case.body
    for name, value in case.path_parameters.items():
        if value == OWN_ID and changes_password:
            case.path_parameters[name] = NOBODY
