from toprock.comparisons import Pair
from toprock.peers import TrainingSide


def test_what_pairs_name_in_order_and_who_performed():
    side = TrainingSide({}, [Pair("c", "a"), Pair("a", "b", tie=True)], {"a": "ann", "c": "ann", "x": "xi", "b": ""})
    assert side.ids == ["a", "b", "c"]
    ann, nobody, again = side.groups()
    assert ann == again == "ann"
    assert nobody not in ("", "ann", "b")  # stands alone, whatever performers are called
    assert TrainingSide({}, [Pair("a", "b")], {}).groups()[0] != TrainingSide({}, [Pair("a", "b")], {}).groups()[1]
