"""A program with an `if` and with calls that have effects in it and around it."""

WEATHER = """
@I.ir_module
class Weather:
    @R.function(pure=False)
    def main(x: R.Tensor((4,), "float32"), sunny: R.Tensor((), "bool")):
        with R.dataflow():
            a = R.exp(x)
            b = R.negative(a)
            R.output(a, b)
        first = R.call_packed({tell}, b, ty_args=(R.Tensor((4,), "float32"),))
        with R.dataflow():
            d = R.nn.relu(a)
            c = R.multiply(d, b)
            R.output(c)
        if sunny:
            warm = R.call_packed({tell}, c, ty_args=(R.Tensor((4,), "float32"),))
            with R.dataflow():
                e = R.tanh(c)
                g = R.add(e, a)
                R.output(g)
            y = R.call_packed({tell}, g, ty_args=(R.Tensor((4,), "float32"),))
        else:
{cold}            y = R.subtract(c, a)
        last = R.call_packed({tell}, y, ty_args=(R.Tensor((4,), "float32"),))
        return last
"""
COLD = """\
            cold = R.call_packed({tell}, x, ty_args=(R.Tensor((4,), "float32"),))
"""


def weather(tell: str, *, cold: bool = True) -> str:
    """The program; `tell` is what its calls with effects call, as a script writes it.

    Without `cold` the `else` arm has no effects.
    """
    return WEATHER.format(tell=tell, cold=COLD.format(tell=tell) if cold else "")
