"""Named public text tasks, read from local files in their usual layout or from the hub cache."""

from __future__ import annotations

from tlbench import Task


def tasks() -> list[Task]:
    """Returns one instance of each named text task."""
    from tlbench_data.tasks.amazon import AmazonReviews
    from tlbench_data.tasks.dialogue_summaries import DialogSum, DialogSumSmall, SamSum
    from tlbench_data.tasks.named_entities import Conll2003, Wnut17
    from tlbench_data.tasks.reading_comprehension import Squad, SquadDevParts, SquadV2
    from tlbench_data.tasks.relations import SemEval2010Task8
    from tlbench_data.tasks.reviews import AgNews, AgNews8k, Imdb, Imdb2k
    from tlbench_data.tasks.short_texts import Banking77, SmsSpam, Trec
    from tlbench_data.tasks.translation import Multi30k

    return [
        AgNews(),
        AgNews8k(),
        AmazonReviews(),
        Banking77(),
        Conll2003(),
        DialogSum(),
        DialogSumSmall(),
        Imdb(),
        Imdb2k(),
        Multi30k(),
        SamSum(),
        SemEval2010Task8(),
        SmsSpam(),
        Squad(),
        SquadDevParts(),
        SquadV2(),
        Trec(),
        Wnut17(),
    ]
