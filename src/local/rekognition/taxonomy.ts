/** What DetectLabels returns for a label besides its name and confidence. */
export interface LabelKind {
  /** All ancestors, nearest first; each is returned as a label as well. */
  parents: string[]
  aliases: string[]
  categories: string[]
}

/**
 * Parents, Aliases and Categories of a label by its name.
 * Empty for a name that is not in the table.
 */
export function labelKind(name: string): LabelKind {
  const entry = KINDS.get(name)
  if (entry === undefined) return { parents: [], aliases: [], categories: [] }
  const { parents, category, aliases } = entry
  return { parents: [...parents], aliases: [...aliases], categories: [category] }
}

/** Every name in the table: the model's 80 classes and their ancestors. */
export function knownLabels(): string[] {
  return [...KINDS.keys()]
}

interface Entry {
  category: string
  parents: string[]
  aliases: string[]
}

function entry(category: string, parents: string[] = [], aliases: string[] = []): Entry {
  return { category, parents, aliases }
}

const VEHICLES = 'Vehicles and Automotive'
const TRANSPORT = 'Transport and Logistics'
const ANIMALS = 'Animals and Pets'
const APPAREL = 'Apparel and Accessories'
const SPORTS = 'Sports'
const KITCHEN = 'Kitchen and Dining'
const FOOD = 'Food and Beverage'
const FURNITURE = 'Furniture and Furnishings'
const COMPUTING = 'Technology and Computing'
const APPLIANCES = 'Home Appliances'
const INDOORS = 'Home and Indoors'

/**
 * Names and kinds as in Amazon Rekognition's published list of labels
 * (https://docs.aws.amazon.com/rekognition/latest/dg/labels.html), for the model's classes.
 */
const KINDS: ReadonlyMap<string, Entry> = new Map([
  ['Person', entry('Person Description', [], ['Human'])],

  ['Transportation', entry(TRANSPORT)],
  ['Vehicle', entry(VEHICLES, ['Transportation'])],
  ['Bicycle', entry(VEHICLES, ['Vehicle', 'Transportation'], ['Bike'])],
  ['Car', entry(VEHICLES, ['Vehicle', 'Transportation'], ['Automobile'])],
  ['Motorcycle', entry(VEHICLES, ['Vehicle', 'Transportation'])],
  ['Airplane', entry(VEHICLES, ['Vehicle', 'Transportation', 'Aircraft'], ['Plane'])],
  ['Aircraft', entry(VEHICLES, ['Vehicle', 'Transportation'])],
  ['Bus', entry(VEHICLES, ['Vehicle', 'Transportation'])],
  ['Train', entry(VEHICLES, ['Vehicle', 'Transportation'])],
  ['Truck', entry(VEHICLES, ['Vehicle', 'Transportation'])],
  ['Boat', entry(VEHICLES, ['Vehicle', 'Transportation'])],

  ['Light', entry('Everyday Objects')],
  ['Traffic Light', entry(TRANSPORT, ['Light'])],
  ['Hydrant', entry('Public Safety')],
  ['Fire Hydrant', entry('Public Safety', ['Hydrant'])],
  ['Symbol', entry('Symbols and Flags')],
  ['Sign', entry('Symbols and Flags', ['Symbol'])],
  ['Road Sign', entry(TRANSPORT, ['Sign', 'Symbol'])],
  ['Stopsign', entry(TRANSPORT, ['Road Sign', 'Sign', 'Symbol'], ['Stop Sign'])],
  ['Parking Meter', entry(TRANSPORT)],

  ['Animal', entry(ANIMALS)],
  ['Mammal', entry(ANIMALS, ['Animal'])],
  ['Wildlife', entry(ANIMALS, ['Animal'])],
  ['Pet', entry(ANIMALS, ['Animal'])],
  ['Canine', entry(ANIMALS, ['Mammal', 'Animal'])],
  ['Livestock', entry(ANIMALS, ['Mammal', 'Animal'])],
  ['Bird', entry(ANIMALS, ['Animal'])],
  ['Cat', entry(ANIMALS, ['Pet', 'Mammal', 'Animal'])],
  ['Dog', entry(ANIMALS, ['Pet', 'Canine', 'Mammal', 'Animal'])],
  ['Horse', entry(ANIMALS, ['Mammal', 'Animal'])],
  ['Sheep', entry(ANIMALS, ['Livestock', 'Mammal', 'Animal'])],
  ['Cow', entry(ANIMALS, ['Livestock', 'Mammal', 'Animal'], ['Cattle'])],
  ['Elephant', entry(ANIMALS, ['Wildlife', 'Mammal', 'Animal'])],
  ['Bear', entry(ANIMALS, ['Wildlife', 'Mammal', 'Animal'])],
  ['Zebra', entry(ANIMALS, ['Wildlife', 'Mammal', 'Animal'])],
  ['Giraffe', entry(ANIMALS, ['Wildlife', 'Mammal', 'Animal'])],

  ['Bag', entry(APPAREL)],
  ['Accessories', entry(APPAREL, [], ['Accessory'])],
  ['Formal Wear', entry(APPAREL)],
  ['Backpack', entry(APPAREL, ['Bag'])],
  ['Handbag', entry(APPAREL, ['Bag', 'Accessories'], ['Purse'])],
  ['Suitcase', entry('Travel and Adventure', ['Baggage'])],
  ['Baggage', entry('Travel and Adventure', [], ['Luggage'])],
  ['Umbrella', entry(APPAREL, ['Canopy'])],
  ['Canopy', entry('Everyday Objects')],
  ['Tie', entry(APPAREL, ['Accessories', 'Formal Wear'], ['Necktie'])],

  ['Toy', entry('Toys and Gaming')],
  ['Frisbee', entry(SPORTS, ['Toy'])],
  ['Kite', entry('Toys and Gaming', ['Toy'])],
  ['Teddy Bear', entry('Toys and Gaming', ['Toy'])],
  ['Skis', entry(SPORTS, [], ['Ski'])],
  ['Snowboard', entry(SPORTS)],
  ['Ball', entry(SPORTS)],
  ['Baseball', entry(SPORTS)],
  ['Baseball Bat', entry(SPORTS, ['Baseball'])],
  ['Baseball Glove', entry(SPORTS, ['Baseball'])],
  ['Skateboard', entry(SPORTS)],
  ['Surfboard', entry(SPORTS)],
  ['Racket', entry(SPORTS)],
  ['Tennis Racket', entry(SPORTS, ['Racket'])],

  ['Bottle', entry('Everyday Objects')],
  ['Glass', entry(KITCHEN)],
  ['Wine Glass', entry(KITCHEN, ['Glass'])],
  ['Cup', entry(KITCHEN)],
  ['Bowl', entry(KITCHEN)],
  ['Cutlery', entry(KITCHEN)],
  ['Fork', entry(KITCHEN, ['Cutlery'])],
  ['Knife', entry(KITCHEN, ['Cutlery'])],
  ['Spoon', entry(KITCHEN, ['Cutlery'])],

  ['Food', entry(FOOD)],
  ['Fruit', entry(FOOD, ['Food', 'Produce'])],
  ['Produce', entry(FOOD, ['Food'])],
  ['Vegetable', entry(FOOD, ['Food', 'Produce'])],
  ['Dessert', entry(FOOD, ['Food'])],
  ['Banana', entry(FOOD, ['Fruit', 'Produce', 'Food'])],
  ['Apple', entry(FOOD, ['Fruit', 'Produce', 'Food'])],
  ['Orange', entry(FOOD, ['Fruit', 'Produce', 'Food'])],
  ['Broccoli', entry(FOOD, ['Vegetable', 'Produce', 'Food'])],
  ['Carrot', entry(FOOD, ['Vegetable', 'Produce', 'Food'])],
  ['Sandwich', entry(FOOD, ['Food'])],
  ['Hot Dog', entry(FOOD, ['Food'])],
  ['Pizza', entry(FOOD, ['Food'])],
  ['Donut', entry(FOOD, ['Dessert', 'Food'])],
  ['Cake', entry(FOOD, ['Dessert', 'Food'])],

  ['Furniture', entry(FURNITURE)],
  ['Table', entry(FURNITURE, ['Furniture'])],
  ['Bench', entry(FURNITURE, ['Furniture'])],
  ['Chair', entry(FURNITURE, ['Furniture'])],
  ['Couch', entry(FURNITURE, ['Furniture'], ['Sofa'])],
  ['Bed', entry(FURNITURE, ['Furniture'])],
  ['Dining Table', entry(FURNITURE, ['Table', 'Furniture'])],
  ['Plant', entry('Plants and Flowers')],
  ['Potted Plant', entry('Plants and Flowers', ['Plant'])],
  ['Toilet', entry(INDOORS)],
  ['Sink', entry(INDOORS)],
  ['Vase', entry(FURNITURE, ['Jar', 'Pottery'])],
  ['Jar', entry(INDOORS)],
  ['Pottery', entry(INDOORS)],
  ['Clock', entry(INDOORS)],

  ['Electronics', entry(COMPUTING)],
  ['Screen', entry(COMPUTING, ['Electronics'])],
  ['TV', entry(COMPUTING, ['Screen', 'Electronics'], ['Television'])],
  ['Computer', entry(COMPUTING, ['Electronics'])],
  ['Pc', entry(COMPUTING, ['Computer', 'Electronics'])],
  ['Laptop', entry(COMPUTING, ['Pc', 'Computer', 'Electronics'])],
  ['Computer Hardware', entry(COMPUTING, ['Electronics', 'Hardware'])],
  ['Hardware', entry(COMPUTING, ['Electronics'])],
  ['Mouse', entry(COMPUTING, ['Computer Hardware', 'Hardware', 'Electronics'])],
  ['Computer Keyboard', entry(COMPUTING, ['Computer Hardware', 'Hardware', 'Electronics'], ['Keyboard'])],
  ['Remote Control', entry(COMPUTING, ['Electronics'])],
  ['Phone', entry(COMPUTING, ['Electronics'])],
  ['Mobile Phone', entry(COMPUTING, ['Phone', 'Electronics'], ['Cell Phone'])],

  ['Appliance', entry(APPLIANCES, ['Device', 'Electrical Device'])],
  ['Device', entry('Tools and Machinery')],
  ['Electrical Device', entry('Tools and Machinery', ['Device'])],
  ['Microwave', entry(APPLIANCES, ['Oven', 'Appliance', 'Device', 'Electrical Device'])],
  ['Oven', entry(APPLIANCES, ['Appliance', 'Device', 'Electrical Device'])],
  ['Toaster', entry(APPLIANCES, ['Appliance', 'Device', 'Electrical Device'])],
  ['Refrigerator', entry(APPLIANCES, ['Appliance', 'Device', 'Electrical Device'], ['Fridge'])],
  ['Blow Dryer', entry(APPLIANCES, ['Appliance', 'Device', 'Electrical Device'], ['Hair Dryer'])],

  ['Publication', entry('Text and Documents')],
  ['Book', entry('Text and Documents', ['Publication'])],
  ['Scissors', entry('Tools and Machinery')],
  ['Brush', entry('Tools and Machinery', ['Device'])],
  ['Toothbrush', entry('Beauty and Personal Care', ['Brush', 'Device'])],
])
