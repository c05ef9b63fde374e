layout-skip = Skip to the content
layout-other-language = 中文
layout-sign-out = Sign out
