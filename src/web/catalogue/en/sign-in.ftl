sign-in-title = Sign in
sign-in-login = Name
sign-in-password = Password
sign-in-enter = Sign in
sign-in-away = No server can be reached just now. Try again.
sign-in-wrong = Name or password is wrong. Try again.
sign-in-locked = Too many tries. This name is locked for { $minutes ->
        [one] one minute
       *[other] { $minutes } minutes
    }.
sign-in-help = Forgotten? An administrator gives you a new password.
sign-in-code-title = Second factor
sign-in-code = Code from your authenticator
sign-in-code-wrong = The code is wrong or was used already. Wait for the next one.
sign-in-again = Begin again
