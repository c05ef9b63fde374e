refusal-forbidden = 您无权进行此操作
refusal-lost = 没有这个页面
refusal-busy = 系统繁忙
refusal-ours = 系统内部出错
refusal-wrong = 无法完成此操作
refusal-start = 返回首页
refusal-code = 求助时请提供：
