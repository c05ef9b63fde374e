refusal-forbidden = This is not open to you
refusal-lost = There is no such page
refusal-busy = Too much at once
refusal-ours = Something went wrong on our side
refusal-wrong = This cannot be done
refusal-start = To the start page
refusal-code = To quote when you ask for help:
