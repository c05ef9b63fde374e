//! Tubes into boxes, boxes from hand to hand.
