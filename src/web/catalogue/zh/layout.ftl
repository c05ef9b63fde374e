layout-skip = 跳到正文
layout-other-language = English
layout-sign-out = 退出
