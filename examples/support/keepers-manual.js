export const MANUAL = `The Keeper's Manual

The light. The lamp is lit half an hour before sunset and burns until half an hour after sunrise. It stands forty-two metres above
high water and is seen for nineteen miles on a clear night. The lens is of the first order, weighs four tonnes and floats in a bath
of mercury, so that one finger can turn it. It gives two white flashes every fifteen seconds; a keeper who counts otherwise stops the
clockwork and calls the harbour. Spare mantles lie in the second drawer, wrapped in felt, never more than twelve.

The clockwork. A weight of ninety kilograms falls through the tower and drives the lens. It is wound every four hours, by hand, with
one hundred and sixty turns of the crank. The bearings get whale oil no longer, but two drops of the thin oil in the blue can.

The fog. When the island of Sule cannot be seen from the gallery, the horn is sounded: three seconds in every minute. The compressor
needs six minutes to come up to pressure; below five bar the horn is only a whisper. The log says when the fog came and when it went.

The stores. Boats come on the first Tuesday of the month, weather permitting, with paraffin, flour, letters and newspapers. Water is
collected on the roof and kept in two tanks of eight thousand litres; the east tank is for drinking. The goat belongs to the station
and has her own page in the log.

The people. There are three keepers, one of whom sleeps while two are awake. The watch changes at four, at noon and at eight. Nobody
climbs the outer ladder alone, and nobody in a wind above force seven. Visitors are welcome on Sundays and sign the green book.`

export const QUESTIONS = [
  'When is the lamp lit?',
  'How high does the light stand?',
  'How far is it seen?',
  'What does the lens weigh?',
  'What does the lens float in?',
  'How often does it flash?',
  'Where are the spare mantles?',
  'How heavy is the falling weight?',
  'How often is it wound?',
  'How many turns does that take?',
  'Which oil do the bearings get?',
  'When is the horn sounded?',
  'How long does the compressor need?',
  'What is written in the log?',
  'When do boats come?',
  'Which tank is for drinking?',
  'Whose is the goat?',
  'How many keepers are there?',
  'Who may climb the outer ladder?',
  'When are visitors welcome?',
]
